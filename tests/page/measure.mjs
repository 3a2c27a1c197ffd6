// How large pages get and how long a browser takes to open them, against the steps of a run:
// `npm ci && node measure.mjs`, here. Prints a table.

import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { chromium } from "playwright-core";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const squall = process.env.SQUALL ?? join(root, "target", "release", "squall");
const executablePath = process.env.CHROMIUM ?? execFileSync("which", ["chromium"], { encoding: "utf8" }).trim();

const runs = [
  ["sims/findings/requested-snapshot-drops-entries.json"],
  ["--profile", "storm", "--seed", "3"],
  ["sims/regressions/stale-leaders-entries-written-late.json"],
  ["sims/findings/late-answer-stops-commits.json"],
  ["--profile", "long", "--seed", "2"],
];

const folder = mkdtempSync(join(tmpdir(), "squall-measure-"));
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
console.log("| steps | page, MB | opens after, s | to the next moment, ms | to the violation or the end, ms |");
console.log("| ---: | ---: | ---: | ---: | ---: |");
for (const run of runs) {
  const file = join(folder, "page.html");
  const made = spawnSync(squall, ["page", ...run, "-o", file], { cwd: root, encoding: "utf8" });
  if (made.status !== 0) throw new Error(made.stderr);
  const told = spawnSync(squall, ["replay", "--json", ...run], { cwd: root, encoding: "utf8", maxBuffer: 1 << 30 });
  const { steps } = JSON.parse(told.stdout).end;
  const page = await browser.newPage({ viewport: { width: 1400, height: 1000 } });
  const begun = Date.now();
  await page.goto(`file://${file}`);
  await page.waitForSelector("html[data-ready=yes]", { state: "attached" });
  const opened = (Date.now() - begun) / 1000;
  // From the key to the frame after the change.
  const answer = (key) => page.evaluate((key) => new Promise((resolve) => {
    const pressed = performance.now();
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    requestAnimationFrame(() => requestAnimationFrame(() => resolve(performance.now() - pressed)));
  }), key);
  const next = await answer("k");
  const end = await answer("v");
  const size = statSync(file).size / 1e6;
  console.log(`| ${steps.toLocaleString("en")} | ${size.toFixed(2)} | ${opened.toFixed(2)} | ${next.toFixed(0)} | ${end.toFixed(0)} |`);
  await page.close();
}
await browser.close();
rmSync(folder, { recursive: true });
