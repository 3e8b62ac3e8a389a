/* How each kind of question looks, and what its answer is. */
(function () {
  "use strict";

  const kit = window.lascaux;
  const { study, escaped } = kit;
  const LONGEST_NAME = 100;

  // ---------------------------------------------------------------- free answers: a line to write on, a sheet to draw on

  const TYPE = window.jsPsychModule ? window.jsPsychModule.ParameterType : {};

  /* One plugin for both: `widget(host, start, answer)` builds the means into the page and calls `answer` once. */
  class Free {
    constructor(jsPsych) {
      this.jsPsych = jsPsych;
    }

    trial(display, trial) {
      display.innerHTML = trial.stimulus;
      const start = performance.now();
      let given = false;
      trial.widget(display.querySelector(".free"), start, (response) => {
        if (given) return;
        given = true;
        this.jsPsych.finishTrial({ rt: Math.round(performance.now() - start), response });
      });
    }

    simulate(trial, mode, options, loaded) {
      const told = this.jsPsych.pluginAPI.mergeSimulationData({ rt: 1500, response: trial.made_up() }, options);
      loaded();
      if (mode === "visual") {
        const display = this.jsPsych.getDisplayElement();
        display.innerHTML = trial.stimulus;
        trial.widget(display.querySelector(".free"), performance.now(), () => {});
        setTimeout(() => this.jsPsych.finishTrial(told), 400);
      } else {
        this.jsPsych.finishTrial(told);
      }
    }
  }
  Free.info = {
    name: "lascaux-free",
    version: "1",
    parameters: {
      stimulus: { type: TYPE.HTML_STRING, default: undefined },
      widget: { type: TYPE.FUNCTION, default: undefined },
      made_up: { type: TYPE.FUNCTION, default: undefined },
    },
    data: { response: { type: TYPE.COMPLEX }, rt: { type: TYPE.INT } },
  };

  function cannotTell(host, answer, words) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "jspsych-btn cannot-tell";
    button.textContent = words;
    button.addEventListener("click", () => answer(null));
    host.append(button);
  }

  function line(host, start, answer) {
    host.innerHTML =
      "<form novalidate><input class='line' name='name' type='text' autocomplete='off' autocapitalize='none' spellcheck='false' " +
      "enterkeyhint='done' maxlength='" + LONGEST_NAME + "' aria-label='What it shows'>" +
      "<button class='jspsych-btn' id='done' disabled>Next</button></form>";
    const input = host.querySelector("input");
    const done = host.querySelector("#done");
    const text = () => kit.whole(input.value);
    input.addEventListener("input", () => (done.disabled = !text().trim()));
    host.querySelector("form").addEventListener("submit", (event) => {
      event.preventDefault();
      if (text().trim()) answer(text());
    });
    cannotTell(host, answer, study.cannot_tell);
    input.focus({ preventScroll: true });
  }

  function sheet(host, start, answer) {
    const box = document.createElement("div");
    host.append(box);
    const pad = kit.pad(box, start);
    const done = box.querySelector("#done");
    pad.onChange = () => (done.disabled = !pad.strokes().length);
    const finish = (response) => {
      pad.done();
      answer(response);
    };
    done.addEventListener("click", () => finish(pad.strokes()));
    cannotTell(host, finish, study.cannot_draw);
  }

  // ---------------------------------------------------------------- what stands above

  function picture(file, drawn, alt) {
    const kind = drawn && study.shown === "raster" ? "pixels" : "";
    return "<img class='" + kind + "' src='" + escaped(file) + "' alt='" + alt + "'>";
  }

  function above(item) {
    const check = item.kind === "catch";
    const question = check ? study.catch_question : study.parts[item.part].question;
    let shown = "";
    if (item.stimulus) shown += picture(item.stimulus, !check, check ? "The picture to find" : "The drawing");
    if (item.photo) shown += picture(item.photo, false, "The picture");
    if (item.about !== null) shown += "<b class='about'>" + escaped(item.about) + "</b>";
    return (
      "<div class='ask'><p class='" + item.kind + "'>" + escaped(question) + "</p><div class='shown'>" + shown + "</div></div>"
    );
  }

  const LOOK = {
    pick: ["tile", (choice, at) => "<img src='" + escaped(choice) + "' alt=''>"],
    catch: ["tile", (choice, at) => "<img src='" + escaped(choice) + "' alt=''>"],
    compare: ["tile large", (choice, at) => picture(choice, true, "")],
    class: ["jspsych-btn word", (choice) => escaped(choice)],
    rate: ["jspsych-btn step", (choice) => escaped(choice)],
  };

  function chosen(id, item, count) {
    const many = item.choices.length;
    const [look, inside] = LOOK[item.kind];
    const named = { compare: "Drawing", pick: "Picture", catch: "Picture" }[item.kind];
    const label = (at) => (named ? " aria-label='" + named + " " + (at + 1) + " of " + many + "'" : "");
    const ends = "<div class='ends'><span>not at all</span><span>very much</span></div>";
    return {
      type: jsPsychHtmlButtonResponse,
      stimulus: above(item) + (item.kind === "rate" ? ends : ""),
      choices: item.choices.concat([study.cannot_tell]),
      button_layout: "flex",
      button_html: (choice, at) =>
        at < many
          ? "<button type='button' class='choice " + look + "'" + label(at) + ">" + inside(choice, at) + "</button>"
          : "<button type='button' class='jspsych-btn cannot-tell'>" + escaped(choice) + "</button>",
      // The second tap of a double tap must not answer the next question.
      enable_button_after: 250,
      css_classes: ["asking", "asking-" + item.kind],
      on_load: () => kit.fit(),
      on_finish: (data) => {
        const told = data.response < many;
        data.choice = !told ? kit.CANNOT_TELL : named ? item.choices[data.response].replace(/^.*\//, "") : item.choices[data.response];
        count(data);
      },
    };
  }

  function free(id, item, count) {
    const name = item.kind === "name";
    return {
      type: Free,
      stimulus: above(item) + "<div class='free'></div>",
      widget: (host, start, answer) => (name ? line : sheet)(host, start, answer),
      made_up: () => (name ? "made up" : [[[-500, 0, 10], [500, 0, 20]]]),
      css_classes: ["asking", "asking-" + item.kind],
      on_load: () => kit.fit(),
      on_finish: (data) => {
        data.choice = data.response === null ? kit.CANNOT_TELL : name ? "named" : "drawn";
        count(data);
      },
    };
  }

  /* The trial of a question. `count` gives the answer its position; `wanted` is what a simulated run is to answer. */
  kit.trial = function (id, count, wanted) {
    const item = study.trials[id];
    const made = (item.kind in LOOK ? chosen : free)(id, item, count);
    made.data = { kind: item.kind, trial: id };
    made.simulation_options = wanted === undefined ? {} : { data: { response: wanted } };
    return made;
  };

  // ---------------------------------------------------------------- sizes

  /* The largest tiles with which drawing and candidates stand on one screen; never under 44 px, then it scrolls. */
  kit.fit = function () {
    const root = document.documentElement;
    const set = (name, value) => root.style.setProperty(name, String(value));
    const tiles = document.querySelectorAll(".tile");
    const large = document.querySelectorAll(".tile.large").length > 0;
    const count = tiles.length;
    const beside = document.querySelectorAll(".shown img").length > 1;
    const width = Math.min(root.clientWidth, 1100) - 16;
    const part = count > 20 ? 0.24 : 0.32;
    const most = Math.min(280, root.clientWidth * (beside ? 0.44 : 0.6), window.innerHeight * part);
    // A whole multiple of the canvas, so that each of its pixels is as large as the next.
    const whole = (limit) => (study.canvas <= limit ? Math.floor(limit / study.canvas) * study.canvas : limit);
    const sketch = whole(Math.max(96, most));
    set("--sketch", sketch + "px");
    const pair = whole(Math.max(96, Math.min(320, (width - 24) / 2, window.innerHeight * 0.42)));
    set("--pair", pair + "px");
    set("--sheet", Math.max(160, Math.min(420, width, window.innerHeight - sketch - 230)) + "px");
    if (!count || large) return;
    const bar = document.getElementById("jspsych-progressbar-container");
    const ask = document.querySelector(".ask");
    const room = window.innerHeight - (bar ? bar.offsetHeight : 36) - (ask ? ask.offsetHeight : sketch + 60) - 80;
    const fits = (size, gap) => {
      const columns = Math.floor((width + gap) / (size + gap));
      const rows = Math.ceil(count / columns);
      return columns >= 1 && rows * (size + gap) <= room ? Math.ceil(count / rows) : 0;
    };
    let found = null;
    for (let size = 160; size >= 44 && !found; size -= 2) {
      for (const gap of [6, 3]) {
        const columns = fits(size, gap);
        if (columns && !found) found = { size, gap, columns };
      }
    }
    if (!found) {
      const columns = Math.max(1, Math.floor((width + 6) / 54));
      found = { size: Math.max(44, Math.floor((width + 6) / columns) - 6), gap: 6, columns };
    }
    set("--tile", found.size + "px");
    set("--gap", found.gap + "px");
    set("--columns", found.columns);
  };

  /* Arrow keys walk the choices; Tab and Enter work as everywhere. */
  kit.walk = function (event) {
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: 0, ArrowDown: 0 };
    const choices = Array.from(document.querySelectorAll(".choice"));
    if (!(event.key in steps) || !choices.length) return;
    const at = choices.indexOf(document.activeElement);
    const columns = choices.filter((choice) => choice.offsetTop === choices[0].offsetTop).length;
    const step = { ArrowUp: -columns, ArrowDown: columns }[event.key] || steps[event.key];
    const next = at < 0 ? choices[0] : choices[at + step];
    if (next) {
      event.preventDefault();
      next.focus();
    }
  };
})();
