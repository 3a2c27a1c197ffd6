"use strict";
// What can be done to a message that is on its way.

/** The most messages that are listed; there are more only in a storm. */
const MOST_LISTED = 200;

class MessageBoard {
  constructor(play) {
    this.play = play;
    this.chosen = null;
    $("message-choice").addEventListener("change", (event) => this.choose(Number(event.target.value)));
    const on = (id, make_) => $(id).addEventListener("click", () => play.say(() => {
      const one = this.#one();
      return one && make_(one.name, $("message-time").value.trim());
    }));
    on("deliver", (name) => `deliver ${name}`);
    on("drop", (name) => `drop ${name}`);
    on("postpone", (name, time) => `postpone ${name} by=${time}`);
    on("double", (name, time) => `double ${name} after=${time}`);
  }

  #one() {
    return this.play.state.to_come.messages.find(({ message }) => message === this.chosen);
  }

  /** The message of that place in the document. */
  choose(message) {
    this.chosen = message;
    for (const input of document.querySelectorAll("#message-choice input")) {
      input.checked = Number(input.value) === message;
      if (input.checked) input.closest("label").scrollIntoView({ block: "nearest" });
    }
    this.play.page.run.taken = message;
    this.play.page.diagram.draw();
  }

  show(state, isOver) {
    const { messages } = state.to_come;
    const had = document.activeElement?.closest("#message-choice") !== null && document.activeElement !== document.body;
    if (!this.#one()) this.chosen = messages[0]?.message ?? null;
    const rows = messages.slice(0, MOST_LISTED).map(({ message, arrives_us }) => {
      const { from, to, text, copy } = state.document.messages[message];
      const when = arrives_us > state.now_us ? `in ${milliseconds(arrives_us - state.now_us)}` : "now";
      return make("label", {}, make("input", { type: "radio", name: "message", value: message }), " ",
        make("b", {}, `${nodeName(from)} → ${nodeName(to)}`), ` ${text}${copy ? ", a second copy" : ""}, `, make("span", {}, when));
    });
    const choice = $("message-choice");
    choice.replaceChildren(choice.firstElementChild, ...rows);
    if (rows.length === 0) choice.append(make("p", { class: "keys" }, isOver ? "None any more." : "None now: let time pass, or have a node campaign."));
    $("messages-count").textContent = messages.length > MOST_LISTED ? `(the first ${MOST_LISTED} of ${messages.length})` : `(${messages.length})`;
    for (const id of ["deliver", "drop", "postpone", "double"]) $(id).disabled = isOver || messages.length === 0;
    for (const input of choice.querySelectorAll("input")) {
      input.checked = Number(input.value) === this.chosen;
      if (input.checked && had) input.focus();
    }
    this.play.page.run.taken = this.chosen;
  }
}
