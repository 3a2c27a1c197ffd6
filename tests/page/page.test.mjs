// The pages of runs in a browser. SQUALL is the program [default: target/release/squall], CHROMIUM
// the browser [default: chromium on the PATH].
//
//     npm ci && npm test

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { gunzipSync, gzipSync } from "node:zlib";

import { chromium } from "playwright-core";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const squall = process.env.SQUALL ?? join(root, "target", "release", "squall");
const browserPath = process.env.CHROMIUM ?? execFileSync("which", ["chromium"], { encoding: "utf8" }).trim();

let browser;
let folder;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "squall-page-"));
  // Whoever is root in a container has no sandbox.
  browser = await chromium.launch({ executablePath: browserPath, args: ["--no-sandbox"] });
});

after(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Writes the page of a plan, with these arguments. */
function pageOf(name, args) {
  const file = join(folder, `${name}.html`);
  const made = spawnSync(squall, ["page", ...args, "-o", file], { cwd: root, encoding: "utf8" });
  assert.equal(made.status, 0, made.stderr);
  return file;
}

/** The run after so many steps, as the program says. */
function runUntil(args, step) {
  const run = spawnSync(squall, ["replay", "--json", ...args, ...(step ? ["--until", String(step)] : [])],
    { cwd: root, encoding: "utf8", maxBuffer: 1 << 30 });
  return JSON.parse(run.stdout);
}

/** Opens a page, and fails on whatever it complains of. */
async function open(file, { hash = "", theme = "light", width = 1400, height = 1000 } = {}) {
  const page = await browser.newPage({ viewport: { width, height }, colorScheme: theme });
  page.complaints = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) page.complaints.push(message.text());
  });
  page.on("pageerror", (error) => page.complaints.push(error.message));
  page.on("request", (request) => {
    if (!/^(file|data|blob):/.test(request.url())) page.complaints.push(`asks for ${request.url()}`);
  });
  await page.goto(`file://${file}${hash}`);
  await page.waitForSelector("html[data-ready=yes]", { state: "attached" });
  assert.deepEqual(page.complaints, [], basename(file));
  return page;
}

const chosen = (page) => page.locator("#slider").inputValue().then(Number);

/** The nodes as the page shows them. */
function shownNodes(page) {
  return page.evaluate(() => [...document.querySelectorAll("#nodes .node")]
    .sort((one, other) => one.dataset.node - other.dataset.node).map((node) => {
    const cell = (row, column) => node.querySelectorAll("tbody tr")[row].querySelectorAll("td")[column].textContent;
    const [, commit, applied, restarts] = node.querySelector(".marks").textContent
      .match(/committed to (\d+), applied to (\d+); (\d+) restart/).map(Number);
    const log = [...node.querySelectorAll(".entry")].map((entry) => ({
      index: Number(entry.dataset.index),
      term: Number(entry.querySelector(".term").textContent.slice(1)),
      durable: entry.classList.contains("durable"),
    }));
    return { role: node.querySelector(".role").textContent, term: Number(cell(0, 0)), vote: cell(1, 0),
      termOnDisk: Number(cell(0, 1)), commit, applied, restarts, log };
  }));
}

/** The same at the end of a run, followed through its document. */
function followedNodes(run) {
  const nodes = Array.from({ length: run.nodes }, () => ({ first: 1, log: [] }));
  for (const moment of run.moments) {
    for (const { node: id, log, ...plain } of moment.changes ?? []) {
      const node = nodes[id - 1];
      Object.assign(node, plain);
      if (!log) continue;
      const kept = node.log.filter(({ index }) => index >= log.first && index < log.from);
      node.log = kept.concat(log.entries.map(({ term }, at) => ({ index: log.from + at, term })));
    }
  }
  return nodes.map((node) => ({
    role: node.state === "up" ? node.role : node.state === "still" ? `${node.role}, paused` : node.state,
    term: node.term, vote: node.vote ? `n${node.vote}` : "none", termOnDisk: node.disk.term,
    commit: node.commit, applied: node.applied, restarts: node.incarnation,
    log: node.log.slice(-40).map(({ index, term }) => ({ index, term, durable: index <= node.disk.last })),
  }));
}

/** Holds the page of a violation against what the program says of it. */
async function holdViolation(file, args) {
  const run = runUntil(args);
  const page = await open(file);
  assert.equal(await chosen(page), run.violation.moment);
  assert.match(await page.locator("#at").textContent(), new RegExp(`step ${run.moments[run.violation.moment].step},`));
  assert.ok((await page.locator("#moment .broken").textContent()).includes(run.violation.message));
  assert.equal(await page.locator("#scroll .mark.broken").count(), 1);
  assert.equal(await page.locator(".story li").count(), run.story.length);
  for (let tenth = 1; tenth <= 10; tenth += 1) {
    const step = Math.max(1, Math.floor((run.end.steps * tenth) / 10));
    const part = runUntil(args, step);
    const last = part.moments.length - 1;
    if (last < 0) continue;
    await page.locator("#slider").evaluate((slider, value) => {
      slider.value = value;
      slider.dispatchEvent(new Event("input"));
    }, last);
    assert.deepEqual(await shownNodes(page), followedNodes(part), `${basename(file)}, step ${step}`);
  }
  assert.deepEqual(page.complaints, []);
  await page.close();
}

const findings = readdirSync(join(root, "sims", "findings")).filter((name) => name.endsWith(".json"));

for (const name of findings) {
  test(`the finding ${basename(name, ".json")}`, async () => {
    const args = [join("sims", "findings", name)];
    await holdViolation(pageOf(basename(name, ".json"), args), args);
  });
}

const bugs = execFileSync(squall, ["list", "bugs"], { encoding: "utf8" })
  .split("\n").map((line) => line.match(/^(\S+\+\S+)/)?.[1]).filter((name) => name?.startsWith("raft-rs+"));

test("there are bugs to look at", () => assert.ok(bugs.length >= 40, `${bugs.length} bugs`));

for (const bug of bugs) {
  test(`the shrunk plan of ${bug}`, async () => {
    const out = join(folder, bug);
    const swept = spawnSync(squall, ["sweep", "--subject", bug, "--seeds", "100000", "--shrink-for", "2s", "--out", out],
      { cwd: root, encoding: "utf8" });
    assert.equal(swept.status, 1, swept.stdout + swept.stderr);
    const [, html] = swept.stdout.match(/^page +(.*\.html)$/m);
    const [, plan] = swept.stdout.match(/^plan +(.*\.json)$/m);
    await holdViolation(html, [plan]);
  });
}

test("keys go from moment to moment, and to the violation", async () => {
  const page = await open(pageOf("keys", ["sims/findings/late-reply-confirms-newer-reads.json"]));
  const violation = await chosen(page);
  await page.keyboard.press("k");
  const before = await chosen(page);
  assert.ok(before < violation);
  await page.keyboard.press("j");
  assert.equal(await chosen(page), violation);
  await page.keyboard.press("Home");
  const first = await chosen(page);
  assert.ok(first < before);
  await page.keyboard.press("ArrowDown");
  assert.ok((await chosen(page)) > first);
  await page.keyboard.press("v");
  assert.equal(await chosen(page), violation);
  const few = await page.locator("#count").textContent();
  await page.keyboard.press("a");
  assert.match(await page.locator("#count").textContent(), /^all \d+ moments$/);
  await page.keyboard.press("a");
  assert.equal(await page.locator("#count").textContent(), few);
  await page.keyboard.press("/");
  await page.keyboard.type("jk");
  assert.equal(await page.locator("#of-words").inputValue(), "jk");
  await page.close();
});

test("filters show what they say, and always the violation", async () => {
  const args = ["sims/findings/late-reply-confirms-newer-reads.json"];
  const run = runUntil(args);
  const page = await open(pageOf("filters", args));
  const shown = () => page.evaluate(() => [...document.querySelectorAll("#scroll .words")].map((words) => words.textContent));
  const count = async () => Number((await page.locator("#count").textContent()).match(/\d+/)[0]);
  await page.locator("#show").selectOption("all");
  const all = await count();
  assert.equal(all, run.moments.length);
  await page.locator("#of-kind").selectOption("vote");
  const votes = run.moments.filter(({ message, sends = [] }) => [message, ...sends].some((at) => run.messages[at]?.kind === "vote"));
  assert.equal(await count(), votes.length + 1);
  assert.ok((await shown()).some((words) => words.includes("✱")));
  await page.locator("#clear").click();
  assert.equal(await count(), all);
  for (const [id, value] of [["of-term", "2"], ["of-entry", "3"], ["of-words", "k0"]]) {
    await page.locator(`#${id}`).fill(value);
    const some = await count();
    assert.ok(some > 1 && some < all, `${id} ${value} shows ${some} of ${all}`);
    await page.locator("#clear").click();
  }
  await page.locator("#of-node").selectOption("3");
  const isAbout = ({ node, message }, place) => node === undefined || node === 3 || place === run.violation.moment
    || (message !== undefined && [run.messages[message].from, run.messages[message].to].includes(3));
  assert.equal(await count(), run.moments.filter(isAbout).length);
  assert.ok((await count()) < all);
  await page.close();
});

test("an address leads to its step, and a story's line to its moment", async () => {
  const file = pageOf("address", ["sims/findings/late-reply-confirms-newer-reads.json"]);
  const page = await open(file, { hash: "#step=98" });
  assert.match(await page.locator("#at").textContent(), /step 98,/);
  await page.locator(".story a").first().click();
  assert.match(await page.locator("#at").textContent(), /step 35,/);
  assert.match(page.url(), /#moment=\d+$/);
  await page.goBack();
  assert.match(await page.locator("#at").textContent(), /step 98,/);
  await page.close();
});

test("a clean run has the same page", async () => {
  const page = await open(pageOf("clean", ["--seed", "3", "--profile", "smoke"]));
  assert.match(await page.locator("h1").textContent(), /No rule is broken/);
  assert.equal(await page.locator("#violation").count(), 0);
  assert.ok((await page.locator(".story li").count()) > 0);
  await page.close();
});

test("what a run says is text, whatever it is", async () => {
  const html = readFileSync(pageOf("escaped", ["sims/findings/outsider-campaigns.json"]), "utf8");
  const [, packed] = html.match(/id="run">([^<]*)</);
  const evil = '</script><script>window.hurt=1</script><img src=x onerror="window.hurt=1">';
  const run = JSON.parse(gunzipSync(Buffer.from(packed, "base64")), (key, value) => {
    return ["text", "words", "name", "message"].includes(key) && typeof value === "string" ? value + evil : value;
  });
  for (const moment of run.moments) moment.lines = [...(moment.lines ?? []), evil];
  const file = join(folder, "evil.html");
  writeFileSync(file, html.replace(packed, gzipSync(JSON.stringify(run)).toString("base64")));
  const page = await open(file);
  await page.locator("#show").selectOption("all");
  assert.equal(await page.evaluate(() => window.hurt), undefined);
  assert.equal(await page.locator("main img").count(), 0);
  assert.ok((await page.locator("#moment").textContent()).includes(evil));
  await page.close();
});

test("of what keeps its state to itself the page says so, and shows nobody as down", async () => {
  const html = readFileSync(pageOf("stateless", ["sims/findings/outsider-campaigns.json"]), "utf8");
  const [, packed] = html.match(/id="run">([^<]*)</);
  const run = JSON.parse(gunzipSync(Buffer.from(packed, "base64")));
  run.has_states = false;
  for (const moment of run.moments) delete moment.changes;
  const file = join(folder, "without-states.html");
  writeFileSync(file, html.replace(packed, gzipSync(JSON.stringify(run)).toString("base64")));
  const page = await open(file);
  assert.match(await page.locator("#nodes").textContent(), /keeps its state to itself/);
  assert.equal(await page.locator("#nodes .node").count(), 0);
  assert.ok((await page.locator("#scroll .lane.unknown").count()) > 0);
  await page.close();
});

test("a narrow window has nothing that sticks out", async () => {
  const file = pageOf("narrow", ["sims/findings/requested-snapshot-drops-entries.json"]);
  for (const theme of ["light", "dark"]) {
    const page = await open(file, { theme, width: 380, height: 800 });
    const [inner, outer] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(inner <= outer, `${inner} of ${outer} pixels`);
    await page.close();
  }
});

test("a run of a hundred thousand steps is a page under 15 MB", async () => {
  const file = pageOf("long", ["--seed", "6", "--profile", "long"]);
  assert.ok(statSync(file).size < 15e6, `${statSync(file).size} bytes`);
  const page = await open(file);
  await page.locator("#show").selectOption("all");
  await page.locator("#scroll").evaluate((scroll) => { scroll.scrollTop = scroll.scrollHeight / 2; });
  await page.waitForFunction(() => document.querySelectorAll("#scroll .row").length > 10);
  assert.deepEqual(page.complaints, []);
  await page.close();
});
