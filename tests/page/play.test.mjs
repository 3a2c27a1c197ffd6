// A cluster that is played with in a browser. SQUALL is the program [default: target/release/squall],
// CHROMIUM the browser [default: chromium on the PATH].

import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { chromium } from "playwright-core";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const squall = process.env.SQUALL ?? join(root, "target", "release", "squall");
const browserPath = process.env.CHROMIUM ?? execFileSync("which", ["chromium"], { encoding: "utf8" }).trim();

let browser;
let folder;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "squall-play-"));
  browser = await chromium.launch({ executablePath: browserPath, args: ["--no-sandbox"] });
});

after(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Starts the server; its address, and what ends it and gives its exit status. */
async function serve(...args) {
  const server = spawn(squall, ["explore", ...args], { cwd: root, stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve) => server.on("exit", (status, signal) => resolve({ status, signal })));
  const address = await new Promise((resolve, reject) => {
    server.stdout.on("data", (said) => {
      const [found] = String(said).match(/http\S+/) ?? [];
      if (found) resolve(found);
    });
    ended.then(({ status }) => reject(new Error(`squall explore ended with ${status}`)));
  });
  return { address, end: () => (server.kill("SIGINT"), ended) };
}

/** Opens the page of a server, and takes down whatever it complains of. */
async function open(address, { theme = "light", width = 1400, height = 1000 } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: theme, acceptDownloads: true });
  const page = await context.newPage();
  page.complaints = [];
  page.on("console", (message) => {
    // That a command is refused is no fault of the page.
    if (["error", "warning"].includes(message.type()) && !message.text().includes("422")) page.complaints.push(message.text());
  });
  page.on("pageerror", (error) => page.complaints.push(error.message));
  const { origin } = new URL(address);
  page.on("request", (request) => {
    if (!request.url().startsWith(`${origin}/`) && !/^(data|blob):/.test(request.url())) page.complaints.push(`asks for ${request.url()}`);
  });
  await page.goto(address);
  await page.waitForSelector("html[data-ready=yes]", { state: "attached" });
  return page;
}

/** Plays on a page of its own with its own server. */
async function playing(args, options, play) {
  const server = await serve(...args);
  const page = await open(server.address, options);
  try {
    await play(page, server);
    assert.deepEqual(page.complaints, []);
  } finally {
    await page.context().close();
    const { status, signal } = await server.end();
    assert.deepEqual([status, signal], [0, null], "Ctrl-C ends it");
  }
}

const shown = (page) => page.evaluate(() => document.body.dataset.shown);

/** Does something, and waits until the page shows what came of it. */
async function act(page, doIt) {
  const had = await shown(page);
  await doIt();
  await page.waitForFunction((had) => document.body.dataset.shown !== had || !document.getElementById("refused").hidden, had);
  assert.equal(await page.locator("#refused").textContent(), "");
}

const click = (page, what) => act(page, () => page.locator(what).click());

const played = (page) => page.locator("#played li:not(.undone) code").allTextContents();

const choose = (page, node) => page.locator(`#node-choice input[value="${node}"]`).check();

async function run(page, time) {
  await page.locator("#run-time").fill(time);
  await click(page, "#run-form button");
}

async function cut(page, node, way, others) {
  await choose(page, node);
  await page.locator("#cut-way").selectOption({ label: way });
  for (const other of others) await page.locator(`#cut-others input[value=n${other}]`).check();
  await click(page, "#cut-form button");
  for (const tick of await page.locator("#cut-others input").all()) await tick.uncheck();
}

async function on(page, node, button) {
  await choose(page, node);
  await click(page, `#${button}`);
}

async function remark(page, words) {
  await act(page, async () => {
    await page.keyboard.press("Escape");
    await page.locator("#say").fill(`# ${words}`);
    await page.keyboard.press("Enter");
  });
}

/** The file that a button saves. */
async function saved(page, button) {
  const [download] = await Promise.all([page.waitForEvent("download"), page.locator(button).click()]);
  const file = join(folder, `${Date.now()}-${download.suggestedFilename()}`);
  await download.saveAs(file);
  return file;
}

/** The commands of a story, block by block. */
function commands(text) {
  const blocks = [[]];
  let isTold = false;
  for (const line of text.split("\n")) {
    if (line.startsWith("----")) isTold = true;
    else if (isTold && line === "") (blocks.push([]), isTold = false);
    else if (!isTold && line !== "" && !line.startsWith("#")) blocks.at(-1).push(line);
  }
  return blocks.filter((block) => block.length > 0);
}

/** How each node stands now, as the panel says. */
const nodes = (page) => page.evaluate(() => [...document.querySelectorAll("#nodes .node")]
  .sort((one, other) => one.dataset.node - other.dataset.node)
  .map((node) => ({ role: node.querySelector(".role").textContent, terms: [...node.querySelectorAll(".entry .term")].map((term) => term.textContent) })));

test("figure 8 is played by clicks, and saved as it is kept", async () => {
  await playing([], {}, async (page) => {
    await page.locator("#voters").fill("5");
    await click(page, "#set-up button");
    await act(page, async () => {
      await page.locator("#say").fill("set raft.max_size_per_message 0");
      await page.keyboard.press("Enter");
    });
    await on(page, 1, "campaign");
    assert.equal(await page.locator("#set-up").isVisible(), false);
    await click(page, "[data-run='10000']");
    await remark(page, "(a) n1 leads term 1, and its entry 2 reaches n2 only.");
    await cut(page, 1, "what it sends", [3, 4, 5]);
    await click(page, "#client-form button");
    await run(page, "5ms");
    await remark(page, "(b) n1 crashes. n5 is elected in term 2.");
    await on(page, 1, "crash");
    await on(page, 5, "campaign");
    await run(page, "1500us");
    await cut(page, 5, "what it sends", []);
    await run(page, "5ms");
    await remark(page, "(c) n5 crashes, and n1 comes back.");
    await on(page, 5, "crash");
    await on(page, 1, "start");
    await click(page, "#mend");
    await click(page, "[data-run='1000']");
    await on(page, 1, "campaign");
    await click(page, "[data-run='10000']");
    await on(page, 1, "campaign");
    await run(page, "1500us");
    await cut(page, 1, "what it sends", [4, 5]);
    await run(page, "4200us");
    await cut(page, 1, "what it sends", [3]);
    await run(page, "5ms");
    // An entry of term 1 is on a majority, and not committed.
    const before = await nodes(page);
    assert.deepEqual(before.slice(0, 3).map(({ terms }) => terms[1]), ["t1", "t1", "t1"]);
    await act(page, async () => {
      await page.keyboard.press("Escape");
      await page.locator("#say").fill("show");
      await page.keyboard.press("Enter");
    });
    await remark(page, "(d) n1 crashes again. n5 overwrites what was on a majority.");
    await on(page, 1, "crash");
    await click(page, "#mend");
    await on(page, 5, "start");
    await click(page, "[data-run='1000']");
    await on(page, 5, "campaign");
    await click(page, "[data-run='10000']");
    await on(page, 5, "campaign");
    await run(page, "20ms");
    const after = await nodes(page);
    assert.deepEqual(after.slice(1, 4).map(({ terms }) => terms[1]), ["t2", "t2", "t2"]);
    await act(page, async () => {
      await page.locator("#say").fill("show");
      await page.keyboard.press("Enter");
    });
    await click(page, "#heal");
    assert.match(await page.locator("#outcome").textContent(), /has converged/);
    const kept = readFileSync(join(root, "sims", "stories", "figure-8.sim"), "utf8");
    const file = await saved(page, "#save-story");
    assert.deepEqual(commands(readFileSync(file, "utf8")), commands(kept));
    const told = spawnSync(squall, ["story", file], { encoding: "utf8" });
    assert.equal(told.status, 0, told.stdout + told.stderr);
    assert.match(told.stdout, /as expected \(raft-rs, noraft, raftbare\)/);
    const plan = await saved(page, "#save-plan");
    const replayed = spawnSync(squall, ["replay", "--no-page", plan], { encoding: "utf8" });
    assert.equal(replayed.status, 0, replayed.stdout + replayed.stderr);
  });
});

test("a message on its way is delivered, dropped, put off and doubled", async () => {
  await playing([], {}, async (page) => {
    await on(page, 1, "campaign");
    await run(page, "500us");
    const list = page.locator("#message-choice label");
    assert.equal(await list.count(), 2);
    assert.equal(await page.locator("#scroll .message.on-its-way").count(), 2);
    // In the diagram, too.
    await page.locator("#scroll .message.on-its-way circle").nth(1).click();
    assert.match(await page.locator("#message-choice label:has(:checked)").textContent(), /n1 → n3/);
    await click(page, "#drop");
    await click(page, "#deliver");
    assert.deepEqual((await played(page)).slice(3), ["drop vote-request n1 -> n3", "deliver vote-request n1 -> n2"]);
    assert.equal(await page.locator("#scroll .message .lost").count(), 1);
    for (let tries = 0; tries < 10 && await list.count() === 0; tries += 1) await click(page, "#next-event");
    assert.match(await list.first().textContent(), /n2 → n1 vote reply/);
    await page.locator("#message-time").fill("3ms");
    await click(page, "#postpone");
    await click(page, "#double");
    assert.equal(await list.count(), 2);
    assert.match(await list.nth(1).textContent(), /a second copy/);
    await click(page, "#next-message");
    assert.match((await nodes(page))[0].role, /leader/);
    const commandsSoFar = await played(page);
    assert.ok(commandsSoFar.includes("postpone vote-reply n2 -> n1 by=3ms"), commandsSoFar.join("\n"));
    assert.ok(commandsSoFar.includes("double vote-reply n2 -> n1 after=3ms"), commandsSoFar.join("\n"));
  });
});

test("nodes are paused, made to lead, added and removed", async () => {
  await playing([], {}, async (page) => {
    await page.locator("#spares").fill("1");
    await click(page, "#set-up button");
    await on(page, 1, "campaign");
    await click(page, "[data-run='10000']");
    await on(page, 2, "transfer");
    await click(page, "[data-run='10000']");
    assert.match((await nodes(page))[1].role, /leader/);
    await on(page, 3, "pause");
    assert.match(await page.locator("#node-choice label").nth(2).textContent(), /paused/);
    await on(page, 3, "resume");
    await choose(page, 4);
    await click(page, "[data-becomes=learner]");
    await click(page, "[data-run='100000']");
    await click(page, "[data-becomes=voter]");
    await click(page, "[data-run='100000']");
    assert.match(await page.locator("#nodes .node[data-node='2'] .configuration").textContent(), /voters n1, n2, n3, n4/);
    await choose(page, 1);
    await click(page, "[data-becomes=out]");
    await click(page, "[data-run='100000']");
    assert.match(await page.locator("#nodes .node[data-node='2'] .configuration").textContent(), /voters n2, n3, n4/);
    assert.deepEqual((await played(page)).filter((line) => !line.startsWith("run")), ["cluster voters=3 spares=1", "campaign n1",
      "transfer n1 -> n2", "pause n3", "resume n3", "change n4=learner", "change n4=voter", "change n1=out"]);
    await choose(page, 2);
    await cut(page, 2, "both", []);
    await cut(page, 2, "what it gets", [3]);
    assert.deepEqual((await played(page)).slice(-2), ["cut n2", "cut n3 -> n2"]);
  });
});

test("a violation is shown, and undo takes it back", async () => {
  await playing(["--subject", "raft-rs+skip-fsync"], {}, async (page) => {
    await on(page, 1, "campaign");
    await page.locator("#undo").focus();
    for (let tries = 0; tries < 5 && await page.locator("#badge").textContent() !== "violation"; tries += 1) {
      await act(page, () => page.keyboard.press("2"));
    }
    assert.equal(await page.locator("#badge").textContent(), "violation");
    assert.match(await page.locator("#rule").textContent(), /^ack-before-durable: /);
    assert.equal(await page.locator("#scroll .mark.broken").count(), 1);
    assert.ok(await page.locator("#moment .broken").isVisible());
    for (const id of ["next-event", "campaign", "crash", "deliver", "heal"]) assert.ok(await page.locator(`#${id}`).isDisabled(), id);
    const file = await saved(page, "#save-story");
    const told = spawnSync(squall, ["story", file], { encoding: "utf8" });
    assert.equal(told.status, 0, told.stdout + told.stderr);
    await click(page, "#undo");
    assert.equal(await page.locator("#badge").textContent(), "playing");
    assert.equal(await page.locator("#violation").isVisible(), false);
  });
});

test("a command that is wrong is told, and changes nothing", async () => {
  await playing([], {}, async (page) => {
    const had = await shown(page);
    await page.keyboard.press("c");
    await page.keyboard.type("crsh n1");
    await page.keyboard.press("Enter");
    await page.locator("#refused").waitFor({ state: "visible" });
    assert.match(await page.locator("#refused").textContent(), /did you mean "crash"/);
    assert.equal(await page.locator("#refused").getAttribute("role"), "alert");
    assert.equal(await shown(page), had);
    assert.equal(await page.locator("#say").inputValue(), "crsh n1", "to be mended");
    const evil = "<img src=x onerror=window.hurt=1>";
    await page.locator("#say").fill(`${evil} n1`);
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.getElementById("refused").textContent.includes("<img"));
    await page.locator("#say").fill(`# ${evil}`);
    await act(page, () => page.keyboard.press("Enter"));
    assert.ok((await played(page)).includes(`# ${evil}`));
    assert.equal(await page.locator("main img").count(), 0);
    assert.equal(await page.evaluate(() => window.hurt), undefined);
    await page.locator("#say").fill("crash");
    assert.match(await page.locator("#usage").textContent(), /^crash NODE/);
  });
});

test("keys let time pass, undo and redo, and leave fields alone", async () => {
  await playing([join("sims", "stories", "figure-8.sim")], {}, async (page) => {
    const all = await played(page);
    assert.ok(all.length > 30);
    await act(page, () => page.keyboard.press("u"));
    assert.equal((await played(page)).length, all.length - 1);
    await act(page, () => page.keyboard.press("r"));
    assert.deepEqual(await played(page), all);
    await click(page, "#reset");
    const setUp = (await played(page)).filter((line) => !line.startsWith("#"));
    assert.deepEqual(setUp, ["cluster voters=5", "set raft.max_size_per_message 0"]);
    await act(page, () => page.keyboard.press("r"));
    assert.equal((await played(page)).at(-1), "campaign n1");
    for (let tries = 0; tries < 10 && await page.locator("#next-message").isDisabled(); tries += 1) {
      await act(page, () => page.keyboard.press("n"));
      assert.match((await played(page)).at(-1), /^run \d+us$/);
    }
    for (const [key, line] of [["m", /^run \d+[um]s$/], ["1", /^run 1ms$/], ["2", /^run 10ms$/], ["3", /^run 100ms$/], ["e", /^run 1s$/]]) {
      await act(page, () => page.keyboard.press(key));
      assert.match((await played(page)).at(-1), line, key);
    }
    const had = await shown(page);
    await page.locator("#run-time").fill("");
    await page.locator("#run-time").pressSequentially("12nmue");
    assert.equal(await shown(page), had);
    // Every control can be reached, and says what it is.
    const unnamed = await page.evaluate(() => [...document.querySelectorAll("button, input, select")]
      .filter((control) => !control.textContent.trim() && !control.labels?.length && !control.getAttribute("aria-label") && !control.title)
      .map((control) => control.outerHTML));
    assert.deepEqual(unnamed, []);
    // A reload shows the same.
    const now = await played(page);
    await page.reload();
    await page.waitForSelector("html[data-ready=yes]", { state: "attached" });
    assert.deepEqual(await played(page), now);
  });
});

test("what is played goes on on another library", async () => {
  await playing([], {}, async (page) => {
    await on(page, 1, "campaign");
    await click(page, "[data-run='10000']");
    await act(page, () => page.locator("#subject").selectOption("noraft"));
    assert.match((await nodes(page))[0].role, /leader/);
    assert.deepEqual(await played(page), ["cluster voters=3", "campaign n1", "run 10ms"]);
    assert.match(await page.title(), /^noraft, 10\.000 ms/);
  });
});

test("a plan is played on, in both themes, narrow and wide", async () => {
  for (const theme of ["light", "dark"]) {
    for (const width of [380, 1400]) {
      await playing([join("sims", "findings", "requested-snapshot-drops-entries.json")], { theme, width, height: 900 }, async (page) => {
        assert.equal(await page.locator("#badge").textContent(), "violation");
        const [inner, outer] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
        assert.ok(inner <= outer, `${inner} of ${outer} pixels`);
        if (process.env.SHOTS) await page.screenshot({ path: join(process.env.SHOTS, `plan-${theme}-${width}.png`), fullPage: true });
        await click(page, "#undo");
      });
    }
  }
});

test("nobody is answered without the token, and a page of elsewhere not at all", async () => {
  await playing([], {}, async (page, { address }) => {
    const { origin, port } = new URL(address);
    for (const [path, status] of [["/", 403], ["/?token=0", 403], ["/state", 403]]) {
      assert.equal((await fetch(origin + path)).status, status, path);
    }
    // The same server under another name of this machine.
    const answer = await fetch(address.replace("127.0.0.1", "localhost"));
    assert.equal(answer.status, 200);
    const file = join(folder, "elsewhere.html");
    writeFileSync(file, "<p>Elsewhere");
    const elsewhere = await page.context().newPage();
    await elsewhere.goto(`file://${file}`);
    const told = await elsewhere.evaluate(async (address) => {
      const asked = await fetch(address).then((answer) => answer.status, () => "nothing");
      const frame = document.createElement("iframe");
      frame.src = address;
      document.body.append(frame);
      await new Promise((resolve) => { frame.onload = resolve; });
      let inside = "nothing";
      try {
        inside = frame.contentDocument?.body?.textContent ?? "nothing";
      } catch {
        // It is of another origin.
      }
      return [asked, inside];
    }, address);
    assert.deepEqual(told, ["nothing", "nothing"], port);
    await elsewhere.close();
  });
});
