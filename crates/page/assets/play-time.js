"use strict";
// How time passes, and how the story begins and ends.

class TimeBoard {
  constructor(play) {
    this.play = play;
    const on = (id, make_) => $(id).addEventListener("click", () => play.say(make_));
    on("next-event", () => this.#until(play.state.to_come.next_us));
    on("next-message", () => this.#until(play.state.to_come.messages[0]?.arrives_us));
    on("run-election", () => this.run(play.page.run.patience_us));
    on("mend", () => "mend");
    on("heal", () => "heal");
    for (const button of document.querySelectorAll("[data-run]")) {
      button.addEventListener("click", () => play.say(() => this.run(Number(button.dataset.run))));
    }
    play.onSubmit("run-form", () => `run ${$("run-time").value.trim()}`);
    play.onSubmit("set-up", () => `cluster voters=${$("voters").value} learners=${$("learners").value} spares=${$("spares").value}`
      .replace(" learners=0", "").replace(" spares=0", ""));
  }

  run(us) {
    return `run ${timeWords(us)}`;
  }

  /** Time passes until what happens then has happened. */
  #until(us) {
    const { now_us } = this.play.state;
    return us === undefined || us === null ? null : this.run(us - now_us + 1);
  }

  show(state, isOver) {
    const { to_come, has_begun } = state;
    $("next-event").disabled = isOver || to_come.next_us === null;
    $("next-message").disabled = isOver || to_come.messages.length === 0;
    for (const id of ["run-election", "heal"]) $(id).disabled = isOver;
    for (const button of document.querySelectorAll("[data-run], #run-form button")) button.disabled = isOver;
    const now = this.play.page.states.after(this.play.page.run.moments.length - 1);
    $("mend").disabled = isOver || now.cuts.length === 0;
    $("set-up").hidden = has_begun;
    const { voters, learners, spares } = state.document.plan.cluster;
    for (const [id, count] of Object.entries({ voters, learners, spares })) $(id).value = count;
  }
}
