// Makes the picture of the README's first screen: `npm ci && node screenshot.mjs`, here.

import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { chromium } from "playwright-core";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const squall = process.env.SQUALL ?? join(root, "target", "release", "squall");
const executablePath = process.env.CHROMIUM ?? execFileSync("which", ["chromium"], { encoding: "utf8" }).trim();
const file = join(root, "target", "screenshot.html");
const picture = join(root, "docs", "images", "page.png");

mkdirSync(dirname(picture), { recursive: true });
execFileSync(squall, ["page", "sims/findings/removed-leader-serves-stale-reads.json", "-o", file], { cwd: root, argv0: "squall" });
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const page = await browser.newPage({ viewport: { width: 1320, height: 1150 }, colorScheme: "light" });
await page.goto(`file://${file}`);
await page.waitForSelector("html[data-ready=yes]", { state: "attached" });
await page.screenshot({ path: picture });
await browser.close();
rmSync(file);
