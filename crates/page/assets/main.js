"use strict";
// Opens the run that the page carries.

(async () => {
  document.documentElement.dataset.script = "yes";
  let document_;
  try {
    document_ = await unpack($("run").textContent);
  } catch (error) {
    $("scroll").replaceWith(make("p", { class: "note" }, `The run in this page cannot be read: ${error}. The story above is all there.`));
    return;
  }
  const run = new Run(document_);
  $("save-plan").addEventListener("click", () => save(`plan-${run.subject}-${run.violation ? run.violation.property : "clean"}.json`, JSON.stringify(run.plan)));
  $("save-run").addEventListener("click", () => save("run.json", JSON.stringify(document_)));
  new Page().open(run, { byAddress: true });
  document.documentElement.dataset.ready = "yes";
})();
