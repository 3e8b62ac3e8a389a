/* Runs the study that study.js describes. Every answer is kept in this browser at once; it is sent to where site.js says,
 * and to nowhere else. */
(function () {
  "use strict";

  const kit = window.lascaux;
  const { study, escaped, paragraphs } = kit;
  const KEPT = ["kind", "trial", "position", "response", "choice", "rt", "part", "view_history", "trial_type",
    "trial_index", "plugin_version", "time_elapsed"];

  kit.banner = function () {
    const sign = document.createElement("div");
    sign.className = "debug";
    sign.textContent = "DEBUG: a simulated run, not data";
    document.body.appendChild(sign);
  };

  /* ?answers=t0001:3,c1:0 gives the answers of a simulated run; others are drawn at random. Whoever drives the browser
   * gives those that are no numbers as window.STUDY_ANSWERS. */
  function given() {
    const found = {};
    if (!kit.simulate) return found;
    for (const pair of (kit.query.get("answers") || "").split(",")) {
      const [id, response] = pair.split(":");
      if (id in study.trials && /^\d+$/.test(response || "")) found[id] = Number(response);
    }
    return Object.assign(found, window.STUDY_ANSWERS || {});
  }

  function pictures(todo) {
    const files = todo.flatMap((id) => {
      const item = study.trials[id];
      const shown = [item.stimulus, item.photo].filter(Boolean);
      return ["pick", "catch", "compare"].includes(item.kind) ? shown.concat(item.choices) : shown;
    });
    return Array.from(new Set(files));
  }

  function preload(todo) {
    return {
      type: jsPsychPreload,
      images: pictures(todo),
      show_detailed_errors: true,
      max_load_time: 120000,
      message: "Loading the pictures ...",
      error_message: "<p>Some pictures could not be loaded. Please load the page again; if that does not help, " +
        "tell the researcher what stands below.</p>",
      data: { kind: "preload" },
    };
  }

  function consent(decided) {
    return {
      type: jsPsychHtmlButtonResponse,
      stimulus:
        "<div class='page'><h1>" + escaped(study.title) + "</h1><div class='consent " +
        (study.consent_is_placeholder ? "placeholder" : "") + "' tabindex='0'>" + escaped(study.consent) + "</div></div>",
      choices: ["I agree", "I do not agree"],
      button_layout: "flex",
      data: { kind: "consent" },
      simulation_options: { data: { response: 0 } },
      on_finish: (data) => decided(data.response === 0),
    };
  }

  function instructions() {
    return {
      type: jsPsychInstructions,
      pages: study.instructions.map(
        (page) => "<div class='page'><h1>" + escaped(page[0]) + "</h1>" + paragraphs(page.slice(1)) + "</div>"
      ),
      show_clickable_nav: true,
      button_label_previous: "Back",
      button_label_next: "Next",
      data: { kind: "instructions" },
    };
  }

  /* Before a part, where there are several: what is asked in it. */
  function heading(number) {
    return {
      type: jsPsychHtmlButtonResponse,
      stimulus:
        "<div class='page'><h1>Part " + (number + 1) + " of " + study.parts.length + "</h1>" +
        paragraphs(study.parts[number].told) + "</div>",
      choices: ["Start"],
      button_layout: "flex",
      data: { kind: "part", part: number },
    };
  }

  function begin(state, back) {
    let declined = false;
    let agreed = back; // nothing is kept of who has not agreed
    state.session += 1;
    const answers = () => kit.answers(state).length;
    const todo = state.order.slice(answers());
    const wanted = given();
    Array.from(document.body.children).forEach((node) => node.tagName !== "SCRIPT" && node.remove());

    const jsPsych = initJsPsych({
      show_progress_bar: true,
      auto_update_progress_bar: false,
      message_progress_bar: () => answers() + " of " + state.order.length,
      on_data_update: (data) => {
        if (declined) return;
        const row = {
          study: state.study,
          participant: state.participant,
          list: state.list,
          simulated: Boolean(kit.simulate),
          session: state.session,
        };
        for (const key of KEPT) if (data[key] !== undefined) row[key] = data[key];
        if (typeof row.rt === "number") row.rt = Math.round(row.rt);
        state.rows.push(row);
        if (agreed) kit.keep(state);
        jsPsych.progressBar.progress = answers() / state.order.length;
      },
      on_finish: () => {
        if (declined) {
          document.body.innerHTML = "<div class='page'><p>You did not agree, so nothing was asked and nothing is kept. " +
            "You can close this page.</p></div>";
          return;
        }
        document.removeEventListener("keydown", kit.walk);
        state.finished = true;
        kit.keep(state);
        kit.end(state, false);
      },
    });

    const timeline = [preload(todo)];
    if (!back) {
      timeline.push(
        consent((yes) => {
          agreed = yes;
          if (yes) return;
          declined = true;
          jsPsych.abortExperiment();
        }),
        instructions()
      );
    }
    const count = (data) => (data.position = answers() + 1);
    let part = null;
    for (const id of todo) {
      const own = study.trials[id].part;
      if (study.parts.length > 1 && own !== null && own !== part) {
        timeline.push(heading(own));
        part = own;
      }
      timeline.push(kit.trial(id, count, wanted[id]));
    }
    window.addEventListener("resize", kit.fit);
    document.addEventListener("keydown", kit.walk);
    if (kit.simulate) {
      kit.banner();
      jsPsych.simulate(timeline, kit.simulate);
    } else {
      jsPsych.run(timeline);
    }
  }

  function welcomeBack(state) {
    const page = document.createElement("main");
    page.className = "page";
    page.innerHTML = "<h1>Welcome back</h1><p></p><button id='go-on' class='jspsych-btn'>Go on</button>";
    page.querySelector("p").textContent =
      "You have answered " + kit.answers(state).length + " of " + state.order.length + " questions. Nothing was lost.";
    page.querySelector("#go-on").addEventListener("click", () => begin(state, true));
    if (!kit.startedFrom) {
      const other = document.createElement("button");
      other.className = "jspsych-btn";
      other.textContent = "I am another person: start anew";
      other.addEventListener("click", () => begin(kit.fresh(), false));
      page.appendChild(other);
    }
    document.body.className = "jspsych-display-element";
    document.body.appendChild(page);
  }

  function start() {
    kit.arrive();
    const kept = kit.taken();
    if (kept && kept.finished) {
      kit.end(kept, true);
    } else if (kept && kit.answers(kept).length) {
      welcomeBack(kept);
    } else {
      begin(kit.fresh(), false);
    }
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
  } else if (window.jatos && window.jatos.onLoad) {
    window.jatos.onLoad(start);
  } else {
    start();
  }
})();
