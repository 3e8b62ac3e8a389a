/* Runs the study that study.js describes. No request goes anywhere: answers are kept in this browser and,
 * at the end, saved as a file. Plain script, so that it also runs from a double click (file://). */
(function () {
  "use strict";

  const study = window.STUDY;
  const query = new URLSearchParams(window.location.search);
  const simulate = ["visual", "data-only"].includes(query.get("simulate")) ? query.get("simulate") : null;
  const startedFrom = ["PROLIFIC_PID", "workerId", "participant"].map((key) => query.get(key)).find(Boolean) || null;
  const home = "lascaux-study:" + study.id;

  // ---------------------------------------------------------------- small helpers

  function escaped(text) {
    const marks = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
    return String(text).replace(/[&<>"']/g, (mark) => marks[mark]);
  }

  function paragraphs(lines) {
    return lines.map((line) => "<p>" + escaped(line) + "</p>").join("");
  }

  /* CRC-32, the same that Python's zlib.crc32 gives: tells a damaged or edited file, nothing more. */
  function crc32(text) {
    let crc = -1;
    for (const byte of new TextEncoder().encode(text)) {
      crc ^= byte;
      for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ((crc ^ -1) >>> 0).toString(16).padStart(8, "0");
  }

  function hash(text) {
    return parseInt(crc32(text), 16);
  }

  function freshName() {
    const bytes = new Uint8Array(8);
    window.crypto.getRandomValues(bytes);
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  function shuffled(items) {
    const order = items.slice();
    for (let i = order.length - 1; i > 0; i--) {
      const j = Math.floor(Math.random() * (i + 1));
      [order[i], order[j]] = [order[j], order[i]];
    }
    return order;
  }

  // ---------------------------------------------------------------- what is kept

  /* A browser may refuse storage (private windows); the study then still runs, but a closed tab loses it. A trial
   * run keeps nothing, so that it can never be taken up as a participant's. */
  const shelf = {
    get(key) {
      try {
        return simulate ? null : JSON.parse(window.localStorage.getItem(key));
      } catch (error) {
        return null;
      }
    },
    put(key, value) {
      try {
        if (!simulate) window.localStorage.setItem(key, JSON.stringify(value));
      } catch (error) {
        return;
      }
    },
    drop(key) {
      try {
        window.localStorage.removeItem(key);
      } catch (error) {
        return;
      }
    },
  };

  function fresh() {
    const participant = startedFrom || freshName();
    const asked = Number.parseInt(query.get("list"), 10);
    const list = asked >= 1 && asked <= study.lists.length ? asked - 1 : hash(participant) % study.lists.length;
    const order = shuffled(study.lists[list]);
    // Catch trials stand at even distances, never first and never last of many.
    study.catch.forEach((id, i) => {
      order.splice(Math.round(((i + 1) * study.lists[list].length) / (study.catch.length + 1)) + i, 0, id);
    });
    return { study: study.id, participant, list: list + 1, order, session: 0, rows: [], finished: false };
  }

  function taken() {
    const kept = shelf.get(home + ":" + (startedFrom || shelf.get(home)));
    return kept && kept.study === study.id && Array.isArray(kept.order) ? kept : null;
  }

  function keep(state) {
    shelf.put(home + ":" + state.participant, state);
    if (!startedFrom) shelf.put(home, state.participant);
  }

  function answers(state) {
    return state.rows.filter((row) => row.kind === "pick" || row.kind === "catch");
  }

  // ---------------------------------------------------------------- the results

  /* results.py builds the same text: keep the two alike. */
  function checksum(state) {
    const lines = [[state.study, state.participant, state.list].join("|")];
    for (const row of answers(state)) {
      lines.push([row.kind, row.trial, row.position, row.response, row.choice, row.rt].join("|"));
    }
    return crc32(lines.join("\n"));
  }

  function results(state) {
    const sum = checksum(state);
    const end = {
      kind: "end",
      study: state.study,
      participant: state.participant,
      list: state.list,
      simulated: Boolean(simulate),
      answers: answers(state).length,
      sessions: state.session,
      window: document.documentElement.clientWidth + "x" + window.innerHeight,
      checksum: sum,
    };
    return JSON.stringify(state.rows.concat([end]), null, 1) + "\n";
  }

  function download(state, name) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([results(state)], { type: "application/json" }));
    link.download = name;
    document.body.appendChild(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  }

  function goodbye(state) {
    const code = checksum(state).toUpperCase();
    const name = "answers-" + study.id.slice(0, 8) + "-" + code + ".json";
    const page = document.createElement("main");
    page.className = "page";
    page.innerHTML =
      "<h1 tabindex='-1'>Thank you</h1><p>You have answered every question. Your answers are saved on this device as " +
      "<b class='file'></b>. Please send this file to the researcher.</p><p>Your code:</p><p class='code'></p>" +
      "<button id='again' class='jspsych-btn'>Save the file again</button>";
    page.querySelector(".file").textContent = name;
    page.querySelector(".code").textContent = code;
    page.querySelector("#again").addEventListener("click", () => download(state, name));
    if (!startedFrom) {
      const next = document.createElement("button");
      next.id = "next-person";
      next.className = "jspsych-btn";
      next.textContent = "Start for another person";
      next.addEventListener("click", () => {
        shelf.drop(home);
        window.location.reload();
      });
      page.appendChild(next);
    }
    document.body.className = "jspsych-display-element";
    document.body.replaceChildren(page);
    if (simulate) banner();
    page.querySelector("h1").focus();
    return name;
  }

  function banner() {
    const sign = document.createElement("div");
    sign.className = "debug";
    sign.textContent = "DEBUG: a simulated run, not data";
    document.body.appendChild(sign);
  }

  // ---------------------------------------------------------------- how a trial looks

  /* The largest tiles with which drawing and candidates stand on one screen; never under 44 px, then it scrolls. */
  function fit(count) {
    const root = document.documentElement;
    const set = (name, value) => root.style.setProperty(name, String(value));
    const width = Math.min(root.clientWidth, 1100) - 16;
    const limit = Math.max(96, Math.min(280, root.clientWidth * 0.6, window.innerHeight * (count > 20 ? 0.24 : 0.32)));
    // A whole multiple of the canvas, so that each of its pixels is as large as the next.
    const sketch = study.canvas <= limit ? Math.floor(limit / study.canvas) * study.canvas : limit;
    set("--sketch", sketch + "px");
    const bar = document.getElementById("jspsych-progressbar-container");
    const ask = document.querySelector(".ask");
    const room = window.innerHeight - (bar ? bar.offsetHeight : 36) - (ask ? ask.offsetHeight : sketch + 60) - 80;
    const fits = (size, gap) => {
      const most = Math.floor((width + gap) / (size + gap));
      const rows = Math.ceil(count / most);
      return most >= 1 && rows * (size + gap) <= room ? Math.ceil(count / rows) : 0;
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
  }

  /* Arrow keys walk the grid; Tab and Enter work as everywhere. */
  function walk(event) {
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: 0, ArrowDown: 0 };
    const tiles = Array.from(document.querySelectorAll(".tile"));
    if (!(event.key in steps) || !tiles.length) return;
    const at = tiles.indexOf(document.activeElement);
    const columns = tiles.filter((tile) => tile.offsetTop === tiles[0].offsetTop).length;
    const step = { ArrowUp: -columns, ArrowDown: columns }[event.key] || steps[event.key];
    const next = at < 0 ? tiles[0] : tiles[at + step];
    if (next) {
      event.preventDefault();
      next.focus();
    }
  }

  function trial(id, state) {
    const item = study.trials[id];
    const many = item.choices.length;
    const isCatch = item.kind === "catch";
    const wanted = given[id];
    return {
      type: jsPsychHtmlButtonResponse,
      stimulus:
        "<div class='ask'><p class='" + item.kind + "'>" +
        escaped(isCatch ? study.catch_question : study.question) +
        "</p><img class='" + (!isCatch && study.shown === "raster" ? "pixels" : "") + "' src='" +
        escaped(item.stimulus) + "' alt='" + (isCatch ? "The picture to find" : "The drawing") + "'></div>",
      choices: item.choices.concat([study.cannot_tell]),
      button_layout: "flex",
      button_html: (choice, index) =>
        index < many
          ? "<button type='button' class='tile' aria-label='Picture " + (index + 1) + " of " + many + "'><img src='" +
            escaped(choice) + "' alt=''></button>"
          : "<button type='button' class='jspsych-btn cannot-tell'>" + escaped(choice) + "</button>",
      // The second tap of a double tap must not answer the next question.
      enable_button_after: 250,
      css_classes: ["picking"],
      data: { kind: item.kind, trial: id },
      on_load: () => fit(many),
      on_finish: (data) => {
        data.position = answers(state).length + 1;
        data.choice = data.response < many ? item.choices[data.response].replace(/^.*\//, "") : "cannot-tell";
      },
      simulation_options: wanted === undefined ? {} : { data: { response: wanted } },
    };
  }

  // ---------------------------------------------------------------- the whole

  /* ?answers=t0001:3,c1:0 gives the answers of a simulated run; the others are drawn at random. */
  const given = {};
  for (const pair of simulate ? (query.get("answers") || "").split(",") : []) {
    const [id, response] = pair.split(":");
    if (id in study.trials && /^\d+$/.test(response || "")) given[id] = Number(response);
  }

  function begin(state, back) {
    let declined = false;
    let agreed = back; // nothing is kept of who has not agreed
    state.session += 1;
    const todo = state.order.slice(answers(state).length);
    const screens = Array.from(document.body.children);
    screens.forEach((node) => node.tagName !== "SCRIPT" && node.remove());

    const jsPsych = initJsPsych({
      show_progress_bar: true,
      auto_update_progress_bar: false,
      message_progress_bar: () => answers(state).length + " of " + state.order.length,
      on_data_update: (data) => {
        if (declined) return;
        const row = {
          study: state.study,
          participant: state.participant,
          list: state.list,
          simulated: Boolean(simulate),
          session: state.session,
        };
        for (const key of ["kind", "trial", "position", "response", "choice", "rt", "view_history", "trial_type",
          "trial_index", "plugin_version", "time_elapsed"]) {
          if (data[key] !== undefined) row[key] = data[key];
        }
        if (typeof row.rt === "number") row.rt = Math.round(row.rt);
        state.rows.push(row);
        if (agreed) keep(state);
        jsPsych.progressBar.progress = answers(state).length / state.order.length;
      },
      on_finish: () => {
        if (declined) {
          document.body.innerHTML = "<div class='page'><p>You did not agree, so nothing was asked and nothing is kept. " +
            "You can close this page.</p></div>";
          return;
        }
        state.finished = true;
        keep(state);
        download(state, goodbye(state));
      },
    });

    const timeline = [
      {
        type: jsPsychPreload,
        images: Array.from(new Set(todo.flatMap((id) => [study.trials[id].stimulus].concat(study.trials[id].choices)))),
        show_detailed_errors: true,
        max_load_time: 120000,
        message: "Loading the pictures ...",
        error_message: "<p>Some pictures could not be loaded. Please load the page again; if that does not help, " +
          "tell the researcher what stands below.</p>",
        data: { kind: "preload" },
      },
    ];
    if (!back) {
      timeline.push({
        type: jsPsychHtmlButtonResponse,
        stimulus:
          "<div class='page'><h1>" + escaped(study.title) + "</h1><div class='consent " +
          (study.consent_is_placeholder ? "placeholder" : "") + "' tabindex='0'>" + escaped(study.consent) + "</div></div>",
        choices: ["I agree", "I do not agree"],
        button_layout: "flex",
        data: { kind: "consent" },
        simulation_options: { data: { response: 0 } },
        on_finish: (data) => {
          agreed = data.response === 0;
          if (agreed) return;
          declined = true;
          jsPsych.abortExperiment();
        },
      });
      timeline.push({
        type: jsPsychInstructions,
        pages: study.instructions.map(
          (page) => "<div class='page'><h1>" + escaped(page[0]) + "</h1>" + paragraphs(page.slice(1)) + "</div>"
        ),
        show_clickable_nav: true,
        button_label_previous: "Back",
        button_label_next: "Next",
        data: { kind: "instructions" },
      });
    }
    todo.forEach((id) => timeline.push(trial(id, state)));

    window.addEventListener("resize", () => {
      const tiles = document.querySelectorAll(".tile").length;
      if (tiles) fit(tiles);
    });
    document.addEventListener("keydown", walk);
    if (simulate) {
      banner();
      jsPsych.simulate(timeline, simulate);
    } else {
      jsPsych.run(timeline);
    }
  }

  function welcomeBack(state) {
    const page = document.createElement("main");
    page.className = "page";
    page.innerHTML = "<h1>Welcome back</h1><p></p><button id='go-on' class='jspsych-btn'>Go on</button>";
    page.querySelector("p").textContent =
      "You have answered " + answers(state).length + " of " + state.order.length + " questions. Nothing was lost.";
    page.querySelector("#go-on").addEventListener("click", () => begin(state, true));
    if (!startedFrom) {
      const other = document.createElement("button");
      other.className = "jspsych-btn";
      other.textContent = "I am another person: start anew";
      other.addEventListener("click", () => begin(fresh(), false));
      page.appendChild(other);
    }
    document.body.className = "jspsych-display-element";
    document.body.appendChild(page);
  }

  const parts = ["initJsPsych", "jsPsychPreload", "jsPsychHtmlButtonResponse", "jsPsychInstructions"];
  const missing = parts.filter((part) => typeof window[part] !== "function");
  if (missing.length) {
    const page = document.createElement("p");
    page.className = "page";
    page.textContent =
      "This study could not be loaded (" + missing.join(", ") + " is missing). It needs the network the first time, " +
      "or a folder exported with jsPsych inside. Please tell the researcher.";
    document.body.appendChild(page);
    return;
  }
  const kept = taken();
  if (kept && kept.finished) {
    goodbye(kept);
  } else if (kept && answers(kept).length) {
    welcomeBack(kept);
  } else {
    begin(fresh(), false);
  }
})();
