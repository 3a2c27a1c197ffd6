"use strict";
// What can be done to a node.

class NodeBoard {
  constructor(play) {
    this.play = play;
    this.chosen = 1;
    $("node-choice").addEventListener("change", (event) => this.choose(Number(event.target.value)));
    const on = (id, make_) => $(id).addEventListener("click", () => play.say(() => make_(nodeName(this.chosen))));
    on("campaign", (node) => `campaign ${node}`);
    on("crash", (node) => `crash ${node} ${$("loss").value}`.trim());
    on("start", (node) => `start ${node}`);
    on("pause", (node) => `pause ${node}`);
    on("resume", (node) => `resume ${node}`);
    on("transfer", (node) => `transfer ${nodeName(this.leader)} -> ${node}`);
    for (const button of document.querySelectorAll("[data-becomes]")) {
      button.addEventListener("click", () => play.say(() => `change ${nodeName(this.chosen)}=${button.dataset.becomes}`));
    }
    play.onSubmit("cut-form", () => this.#cut());
    play.onSubmit("client-form", () => this.#ask());
    $("operation").addEventListener("change", () => this.#needValue());
    for (const place of [$("nodes"), $("lanes")]) {
      place.addEventListener("click", (event) => {
        const node = event.target.closest("[data-node]")?.dataset.node;
        if (node) this.choose(Number(node));
      });
    }
  }

  choose(node) {
    this.chosen = node;
    this.#show();
  }

  #cut() {
    const node = nodeName(this.chosen);
    const ticks = [...document.querySelectorAll("#cut-others input")];
    const ticked = ticks.filter((tick) => tick.checked).map((tick) => tick.value);
    const way = $("cut-way").value;
    if (ticked.length === 0 && way === "<->") return `cut ${node}`;
    const others = (ticked.length ? ticked : ticks.map((tick) => tick.value)).join(",");
    return way === "<-" ? `cut ${others} -> ${node}` : `cut ${node} ${way} ${others}`;
  }

  #ask() {
    const operation = $("operation").value;
    const words = ["client", $("client").value, nodeName(this.chosen), operation, $("key").value.trim()];
    if (this.#takesValue()) words.push($("value").value.trim());
    return words.join(" ");
  }

  #takesValue() {
    return ["put", "append"].includes($("operation").value);
  }

  #needValue() {
    $("value").disabled = !this.#takesValue();
  }

  show(state, isOver) {
    const { page } = this.play;
    this.isOver = isOver;
    this.nodes = page.states.after(page.run.moments.length - 1).nodes;
    if (this.chosen > this.nodes.length) this.chosen = 1;
    const leads = (node) => node.state === "up" && node.role === "leader";
    const newest = this.nodes.filter(leads).sort((one, other) => other.term - one.term)[0];
    this.leader = newest?.id;
    const choice = $("node-choice");
    if (choice.querySelectorAll("input").length !== this.nodes.length) {
      for (const label of choice.querySelectorAll("label")) label.remove();
      choice.append(...this.nodes.map(({ id }) => make("label", {},
        make("input", { type: "radio", name: "node", value: id }), " ", make("b", {}, nodeName(id)), " ", make("span", {}))));
      this.others = null;
    }
    this.nodes.forEach((node, at) => {
      const label = choice.querySelectorAll("label")[at];
      label.className = `${node.state} ${node.role}`;
      label.querySelector("span").textContent = node.state === "up" ? `${node.role}, term ${node.term}`
        : node.state === "still" ? "paused" : node.state;
    });
    this.#show();
  }

  #show() {
    const { chosen, isOver, leader } = this;
    const node = this.nodes[chosen - 1];
    for (const input of document.querySelectorAll("#node-choice input")) input.checked = Number(input.value) === chosen;
    const offer = (ids, is) => ids.forEach((id) => { $(id).disabled = isOver || !is; });
    offer(["campaign", "pause"], node.state === "up");
    offer(["crash", "loss"], node.state === "up" || node.state === "still");
    offer(["start"], node.state === "down");
    offer(["resume"], node.state === "still");
    offer(["transfer"], leader !== undefined && leader !== chosen);
    for (const button of document.querySelectorAll("#cut-form button, #client-form button, [data-becomes]")) button.disabled = isOver;
    if (this.others !== chosen) {
      this.others = chosen;
      const others = this.nodes.filter(({ id }) => id !== chosen);
      $("cut-others").replaceChildren(...others.map(({ id }) => make("label", {},
        make("input", { type: "checkbox", value: nodeName(id) }), nodeName(id))));
    }
    $("node-title").textContent = `Act on ${nodeName(chosen)}`;
    this.#needValue();
  }
}
