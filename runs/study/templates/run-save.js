/* The end: answers are saved where the study says, and only then does anybody go anywhere else. */
(function () {
  "use strict";

  const kit = window.lascaux;
  const WAITS = [0, 1000, 2000, 4000, 8000];

  /* A server that gives out the page itself says in its head where answers go; else site.js does. */
  function place() {
    const meta = document.querySelector("meta[name='lascaux-save']");
    if (meta) return { kind: "server", url: meta.content };
    const save = kit.site.save || { kind: "file" };
    if (save.kind === "jatos" && !window.jatos) return { kind: "file" };
    return save;
  }

  async function post(url, body) {
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(), 60000);
    try {
      const headers = { "Content-Type": "application/json", Accept: "*/*" };
      const answer = await fetch(url, { method: "POST", headers, body, signal: controller.signal });
      if (!answer.ok) throw new Error("the server answered " + answer.status);
    } finally {
      clearTimeout(timer);
    }
  }

  function once(save, text, name) {
    if (save.kind === "server") return post(save.url, text);
    if (save.kind === "datapipe") {
      return post(save.url, JSON.stringify({ experimentID: save.experiment, filename: name, data: text }));
    }
    return new Promise((done, failed) => window.jatos.submitResultData(text, done, failed));
  }

  /* Again and again for a while, always the same text; resolves to whether it is kept. */
  async function attempt(save, text, name, said) {
    for (let i = 0; i < WAITS.length; i++) {
      if (i) said("That did not work. Trying again (" + (i + 1) + " of " + WAITS.length + ") ...");
      await new Promise((go) => setTimeout(go, WAITS[i]));
      try {
        await once(save, text, name);
        return true;
      } catch (error) {
        continue;
      }
    }
    return false;
  }

  function download(text, name) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    link.download = name;
    document.body.appendChild(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  }

  function button(id, label, act) {
    const found = document.createElement("button");
    found.id = id;
    found.type = "button";
    found.className = "jspsych-btn";
    found.textContent = label;
    found.addEventListener("click", act);
    return found;
  }

  /* Where a participant goes on to, if anywhere: an https address that the researcher gave. */
  function onward() {
    const url = (kit.site.complete || {}).url;
    return typeof url === "string" && /^https:\/\//.test(url) ? url : null;
  }

  function leave(url) {
    if (window.jatos && window.jatos.endStudyAndRedirect) window.jatos.endStudyAndRedirect(url);
    else window.location.assign(url);
  }

  const paper = {};

  function page() {
    const main = document.createElement("main");
    main.className = "page";
    main.innerHTML =
      "<h1 tabindex='-1'>Thank you</h1><p class='state' role='status'></p>" +
      "<div class='codes'><p>Your code:</p><p class='code'></p></div><div class='acts'></div>";
    document.body.className = "jspsych-display-element";
    document.body.replaceChildren(main);
    if (kit.simulate) kit.banner();
    paper.state = main.querySelector(".state");
    paper.acts = main.querySelector(".acts");
    paper.codes = main.querySelector(".codes");
    paper.codes.hidden = true;
    main.querySelector("h1").focus();
    return main;
  }

  /* How the study ends: `again` where somebody comes back to what is finished already. */
  kit.end = async function (state, again) {
    const main = page();
    const text = state.text || kit.results(state);
    if (!state.text) {
      state.text = text; // the same for every attempt, today and when the page is opened again
      kit.keep(state);
    }
    const sum = kit.checksum(state).toUpperCase();
    const name = "answers-" + kit.study.id.slice(0, 8) + "-" + sum + ".json";
    const code = (kit.site.complete || {}).code || sum;
    main.querySelector(".code").textContent = code;
    const save = kit.simulate ? { kind: "file" } : place();
    if (save.kind === "file") {
      if (!again) download(text, name);
      state.saved = true;
      kit.keep(state);
      told(state, text, name, "file");
      return;
    }
    if (!state.saved) {
      paper.state.textContent = "You have answered every question. Your answers are being saved; please do not close this page yet.";
      document.body.classList.add("saving");
      const held = (event) => event.preventDefault();
      window.addEventListener("beforeunload", held);
      state.saved = await attempt(save, text, name, (words) => (paper.state.textContent = words));
      window.removeEventListener("beforeunload", held);
      document.body.classList.remove("saving");
      kit.keep(state);
    }
    told(state, text, name, state.saved ? "sent" : "failed");
  };

  /* What the last page says: of a file, of answers that arrived, or of answers that did not. */
  function told(state, text, name, how) {
    const url = kit.simulate ? null : onward();
    const file = () => {
      const words = document.createElement("b");
      words.className = "file";
      words.textContent = name;
      return words;
    };
    paper.codes.hidden = false;
    paper.acts.replaceChildren();
    if (how === "sent") {
      paper.state.textContent = "You have answered every question, and your answers are saved.";
    } else if (how === "file") {
      paper.state.replaceChildren(
        "You have answered every question. Your answers are saved on this device as ", file(), ". Please send this file to the researcher."
      );
    } else {
      paper.state.replaceChildren(
        "Your answers could not be sent. They are kept in this browser and in the file ", file(),
        ". Please try again; if that does not help, send this file to the researcher and note the code."
      );
      download(text, name);
      paper.acts.append(button("try-again", "Try to send again", () => kit.end(state, true)));
    }
    if (how !== "sent") paper.acts.append(button("again", "Save the file again", () => download(text, name)));
    if (url) {
      const on = button("go-on", how === "file" ? "I have sent the file: go on" : "Go on", () => leave(url));
      paper.acts.append(on);
      if (how === "sent") {
        paper.state.append(" You are taken back now.");
        setTimeout(() => leave(url), 2500);
      }
    } else if (how === "sent" && window.jatos && window.jatos.endStudyWithoutRedirect) {
      window.jatos.endStudyWithoutRedirect();
    }
    if (!kit.startedFrom && how !== "failed") {
      paper.acts.append(
        button("next-person", "Start for another person", () => {
          kit.forget();
          window.location.reload();
        })
      );
    }
  }
})();
