#!/bin/sh
# Fetches the pinned Debian package of libraft, checks it, unpacks it into build/ and compiles the
# adapter against the static library in it. Nothing is installed, and no root is needed; apt has to
# know the package (apt-get update, on Debian 12). Arguments are handed to the compiler:
#
#     ./install.sh                        build/c-raft
#     ./install.sh -DVOTE_NOT_WRITTEN     the same with a planted bug: see README.md
#
# OUT names another output. SANITIZE=1 builds with AddressSanitizer and UndefinedBehaviorSanitizer.
set -eu

version=0.15.0-1
sha256=d0883ccee61281e1f406dcef1a6a296d6bd80f81abd725d24c704d7950ed4fcc
package=libraft-dev_${version}_amd64.deb

cd "$(dirname "$0")"
mkdir -p build
if [ ! -f "build/$package" ]; then
    (cd build && apt-get download "libraft-dev=$version")
fi
echo "$sha256  build/$package" | sha256sum --check --quiet
if [ ! -f build/libraft/usr/include/raft.h ]; then
    dpkg -x "build/$package" build/libraft
fi

flags="-O2"
if [ "${SANITIZE:-}" = 1 ]; then
    flags="-g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all"
fi
kit=../../kits/c
# LIBRAFT is another tree of the same layout, to compare versions.
libraft=${LIBRAFT:-build/libraft/usr}
# shellcheck disable=SC2086 # The flags are several words.
${CC:-cc} -std=c11 -Wall -Wextra -Wpedantic -Wconversion $flags "$@" \
    -isystem "$libraft/include" -I "$kit" \
    adapter.c node.c disk.c wire.c "$kit/squall_raft.c" \
    "$libraft"/lib/*/libraft.a -o "${OUT:-build/c-raft}"
