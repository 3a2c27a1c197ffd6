#!/bin/bash -eu
# Builds the fuzz targets for ClusterFuzzLite and OSS-Fuzz, with each target's committed corpus beside it.
# $SRC and $OUT are theirs. Squall and raft have no unsafe code of their own to speak of, so no sanitizer is
# asked for here that they do not ask for: SANITIZER says which, and cargo-fuzz is told.

case "${SANITIZER:-none}" in
    address | memory | thread) sanitizer=$SANITIZER ;;
    *) sanitizer=none ;;
esac

cd "${SRC:?}/squall"
cargo +nightly fuzz build --sanitizer "$sanitizer" --no-trace-compares

for source in fuzz/fuzz_targets/*.rs; do
    target=$(basename "$source" .rs)
    cp "fuzz/target/x86_64-unknown-linux-gnu/release/$target" "${OUT:?}/"
    (cd "fuzz/corpus/$target" && python3 -m zipfile -c "$OUT/${target}_seed_corpus.zip" ./*)
    printf '[libfuzzer]\nmax_len = 16384\nentropic = 0\n' > "$OUT/$target.options"
done
