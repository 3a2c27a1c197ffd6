"use strict";
// What the page asks the server for.

/** The server refuses: its words say why. */
class Refused extends Error {}

class Client {
  constructor() {
    this.token = new URLSearchParams(location.search).get("token") ?? "";
  }

  /** What has been played, and what has come of it. */
  state() {
    return this.#ask("state").then((answer) => answer.json());
  }

  /** Has something done; the state after it. */
  act(wish) {
    return this.#ask("act", { method: "POST", body: JSON.stringify(wish) }).then((answer) => answer.json());
  }

  /** What is played as the text of a file: a "story" or a "plan". */
  file(what) {
    return this.#ask(what).then((answer) => answer.text());
  }

  async #ask(path, options = {}) {
    const headers = { "squall-token": this.token };
    let answer;
    try {
      answer = await fetch(`/${path}`, { ...options, headers, cache: "no-store", credentials: "omit" });
    } catch {
      throw new Refused("the server does not answer; squall explore has ended");
    }
    if (answer.ok) return answer;
    const text = await answer.text();
    let words = text;
    try {
      words = JSON.parse(text).error;
    } catch {
      // It is plain text.
    }
    throw new Refused(words);
  }
}
