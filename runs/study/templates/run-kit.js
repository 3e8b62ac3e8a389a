/* Small helpers, who takes part, and what is kept in this browser. Plain scripts throughout, so that the study also
 * runs from a double click (file://). */
window.lascaux = (function () {
  "use strict";

  const study = window.STUDY;
  const site = window.SITE || {};
  const CANNOT_TELL = "cannot-tell";
  const ASKED = ["pick", "class", "name", "rate", "compare", "draw", "catch"];
  // What recruiting services put into the address; it is kept with the answers.
  const FROM_OUTSIDE = ["PROLIFIC_PID", "STUDY_ID", "SESSION_ID", "workerId", "assignmentId", "hitId"];

  function escaped(text) {
    const marks = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
    return String(text).replace(/[&<>"']/g, (mark) => marks[mark]);
  }

  function paragraphs(lines) {
    return lines.map((line) => "<p>" + escaped(line) + "</p>").join("");
  }

  /* Half of a surrogate pair has no UTF-8 form: two programs would make two checksums of it. */
  function whole(text) {
    const lone = (mark) => mark === "\0" || (mark.length === 1 && mark >= "\ud800" && mark <= "\udfff");
    return Array.from(text, (mark) => (lone(mark) ? "\ufffd" : mark)).join("");
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

  // ---------------------------------------------------------------- the address

  const kit = { study, site, simulate: null, startedFrom: null, query: null };

  /* Reads the address: after JATOS has loaded, where it runs the study, for it keeps the address' words itself. */
  kit.arrive = function () {
    const given = new URLSearchParams(window.location.search);
    const kept = (window.jatos && window.jatos.urlQueryParameters) || {};
    for (const key of Object.keys(kept)) if (!given.has(key)) given.set(key, String(kept[key]));
    kit.query = given;
    kit.simulate = ["visual", "data-only"].includes(given.get("simulate")) ? given.get("simulate") : null;
    const who = ["PROLIFIC_PID", "workerId", "participant"].map((key) => given.get(key)).find(Boolean);
    kit.startedFrom = who ? whole(who) : null;
  };

  kit.fromOutside = function () {
    const found = {};
    for (const key of FROM_OUTSIDE) if (kit.query.get(key)) found[key] = whole(kit.query.get(key)).slice(0, 200);
    return found;
  };

  // ---------------------------------------------------------------- what is kept

  /* A browser may refuse storage (private windows); the study then still runs, but a closed tab loses it. A trial
   * run keeps nothing, so that it can never be taken up as a participant's. */
  const home = "lascaux-study:" + study.id;
  const shelf = {
    get(key) {
      try {
        return kit.simulate ? null : JSON.parse(window.localStorage.getItem(key));
      } catch (error) {
        return null;
      }
    },
    put(key, value) {
      try {
        if (!kit.simulate) window.localStorage.setItem(key, JSON.stringify(value));
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

  /* The questions of a list: parts in their order, each shuffled; checks at even distances, never first and never last
   * of many, and not among what is named or drawn freely, where a picture would give ideas. */
  function ordered(list) {
    const order = [];
    const open = [];
    study.parts.forEach((part, number) => {
      const own = shuffled(study.lists[list].filter((id) => study.trials[id].part === number));
      if (!["name", "draw"].includes(part.kind)) own.forEach((id, i) => open.push(order.length + i));
      order.push(...own);
    });
    const places = open.length ? open : order.map((id, i) => i);
    const many = study.catch.length;
    study.catch
      .map((id, i) => [places[Math.min(places.length - 1, Math.round(((i + 1) * places.length) / (many + 1)))], id])
      .reverse()
      .forEach(([place, id]) => order.splice(place, 0, id));
    return order;
  }

  kit.fresh = function () {
    const participant = kit.startedFrom || freshName();
    const asked = Number.parseInt(kit.query.get("list"), 10);
    const lists = study.lists.length;
    const list = asked >= 1 && asked <= lists ? asked - 1 : parseInt(crc32(participant), 16) % lists;
    const order = ordered(list);
    return { study: study.id, participant, list: list + 1, order, session: 0, rows: [], finished: false, saved: false };
  };

  kit.taken = function () {
    const kept = shelf.get(home + ":" + (kit.startedFrom || shelf.get(home)));
    return kept && kept.study === study.id && Array.isArray(kept.order) ? kept : null;
  };

  kit.keep = function (state) {
    shelf.put(home + ":" + state.participant, state);
    if (!kit.startedFrom) shelf.put(home, state.participant);
  };

  kit.forget = () => shelf.drop(home);

  kit.answers = (state) => state.rows.filter((row) => ASKED.includes(row.kind));

  // ---------------------------------------------------------------- the results

  /* results.py builds the same text: keep the two alike. */
  kit.checksum = function (state) {
    const cell = (value) => (value === null || value === undefined ? "" : Array.isArray(value) ? JSON.stringify(value) : value);
    const lines = [[state.study, state.participant, state.list].join("|")];
    for (const row of kit.answers(state)) {
      lines.push([row.kind, row.trial, row.position, row.response, row.choice, row.rt].map(cell).join("|"));
    }
    return crc32(lines.join("\n"));
  };

  kit.results = function (state) {
    const end = {
      kind: "end",
      study: state.study,
      participant: state.participant,
      list: state.list,
      simulated: Boolean(kit.simulate),
      answers: kit.answers(state).length,
      sessions: state.session,
      window: document.documentElement.clientWidth + "x" + window.innerHeight,
      query: kit.fromOutside(),
      checksum: kit.checksum(state),
    };
    return JSON.stringify(state.rows.concat([end])) + "\n";
  };

  return Object.assign(kit, { CANNOT_TELL, escaped, paragraphs, whole });
})();
