"use strict";
// Puts the parts of the page together.

(async () => {
  const $ = (id) => document.getElementById(id);
  document.documentElement.dataset.script = "yes";
  let document_;
  try {
    document_ = await unpack($("run").textContent);
  } catch (error) {
    $("scroll").replaceWith(make("p", { class: "note" }, `The run in this page cannot be read: ${error}. The story above is all there.`));
    return;
  }
  const run = new Run(document_);
  const states = new States(run);
  const panel = new Panel(run, { at: $("at"), moment: $("moment"), nodes: $("nodes"), around: $("around") });
  const diagram = new Diagram(run, $("scroll"), $("canvas"), $("lanes"), (place) => choose(place));
  const controls = new Controls(run, {
    form: $("filter"), show: $("show"), ofNode: $("of-node"), ofKind: $("of-kind"), ofTerm: $("of-term"),
    ofEntry: $("of-entry"), ofWords: $("of-words"), clear: $("clear"), count: $("count"), slider: $("slider"),
    first: $("first"), previous: $("previous"), next: $("next"), last: $("last"), violation: $("violation"),
    copy: $("copy"), reproduce: $("reproduce"), scroll: $("scroll"),
  }, { choose, filter });
  const told = [...document.querySelectorAll("#story li[data-moment]")];

  function choose(place, { keepAddress = false, comeBack = false } = {}) {
    if (comeBack) history.pushState(null, "", `#moment=${place}`);
    controls.chosenIs(place);
    diagram.mark(place);
    panel.show(place, states.after(place));
    for (const line of told) line.classList.toggle("chosen", Number(line.dataset.moment) === place);
    if (!keepAddress) history.replaceState(null, "", `#moment=${place}`);
  }

  function filter(wanted) {
    const shown = shownMoments(run, wanted);
    controls.shownAre(shown);
    diagram.show(shown);
    diagram.mark(controls.chosen);
  }

  for (const line of told) {
    const place = Number(line.dataset.moment);
    line.addEventListener("mouseenter", () => diagram.mark(place));
    line.addEventListener("mouseleave", () => diagram.mark(controls.chosen));
    line.addEventListener("click", (event) => {
      event.preventDefault();
      choose(place, { comeBack: true });
      $("scroll").scrollIntoView({ block: "nearest" });
    });
  }
  legend($("legend"));
  $("save-plan").addEventListener("click", () => save(`plan-${run.subject}-${run.violation ? run.violation.property : "clean"}.json`.replace(/[^\w.+-]/g, "_"), JSON.stringify(run.plan)));
  $("save-run").addEventListener("click", () => save("run.json", JSON.stringify(document_)));
  window.addEventListener("beforeprint", () => diagram.draw(run.moments.length < 2000));
  window.addEventListener("afterprint", () => diagram.draw());

  const start = run.violation ? run.violation.moment : run.moments.length - 1;
  controls.chosen = Math.max(0, start);
  filter(controls.wanted);
  if (run.moments.length > 0 && !controls.follow()) choose(controls.chosen, { keepAddress: true });
  document.documentElement.dataset.ready = "yes";
  // The first search is to find its words ready.
  let warmed = 0;
  const warm = (deadline) => {
    while (warmed < run.moments.length && deadline.timeRemaining() > 2) run.searched(warmed++);
    if (warmed < run.moments.length) requestIdleCallback(warm);
  };
  if (window.requestIdleCallback) requestIdleCallback(warm);
})();
