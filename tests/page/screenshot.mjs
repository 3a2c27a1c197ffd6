// Makes the pictures of the README's first screen and of the guide: `npm ci && node screenshot.mjs`, here.

import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { chromium } from "playwright-core";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const squall = process.env.SQUALL ?? join(root, "target", "release", "squall");
const executablePath = process.env.CHROMIUM ?? execFileSync("which", ["chromium"], { encoding: "utf8" }).trim();
const file = join(root, "target", "screenshot.html");
const pictures = [
  ["page.png", "removed-leader-serves-stale-reads"],
  ["page-snapshot.png", "requested-snapshot-drops-entries"],
  ["page-noraft.png", "append-merged-across-terms"],
];

mkdirSync(join(root, "docs", "images"), { recursive: true });
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
for (const [name, finding] of pictures) {
  execFileSync(squall, ["page", `sims/findings/${finding}.json`, "-o", file], { cwd: root, argv0: "squall" });
  const page = await browser.newPage({ viewport: { width: 1320, height: 1150 }, colorScheme: "light" });
  await page.goto(`file://${file}`);
  await page.waitForSelector("html[data-ready=yes]", { state: "attached" });
  await page.screenshot({ path: join(root, "docs", "images", name) });
  await page.close();
}
rmSync(file);

// Figure 8 of the Raft paper, as n1 stands for election again.
const server = spawn(squall, ["explore", "sims/stories/figure-8.sim"], { cwd: root });
const address = await new Promise((resolve) => server.stdout.on("data", (said) => {
  const [found] = String(said).match(/http\S+/) ?? [];
  if (found) resolve(found);
}));
const played = await browser.newPage({ viewport: { width: 1400, height: 1080 }, colorScheme: "light" });
await played.goto(address);
await played.waitForSelector("html[data-ready=yes]", { state: "attached" });
const act = async (doIt) => {
  const shown = await played.evaluate(() => document.body.dataset.shown);
  await doIt();
  await played.waitForFunction((shown) => document.body.dataset.shown !== shown, shown);
};
await act(() => played.locator("#reset").click());
while (!(await played.locator("#played li:not(.undone)").last().textContent()).startsWith("mend")) {
  await act(() => played.locator("#redo").click());
}
for (const time of ["1ms", "500us"]) {
  await played.locator("#run-time").fill(time);
  await act(() => played.locator("#run-form button").click());
  if (time === "1ms") await act(() => played.locator("#campaign").click());
}
await played.screenshot({ path: join(root, "docs", "images", "play.png") });
await browser.close();
server.kill("SIGINT");
