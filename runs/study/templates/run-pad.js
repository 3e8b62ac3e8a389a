/* A sheet to draw on: by finger, pen, mouse or keys. Strokes are whole numbers, thousandths of the sheet's half side. */
(function () {
  "use strict";

  const kit = window.lascaux;
  const EDGE = 1000;
  const FURTHEST = 2 * EDGE;
  const STROKES = 200; // drawn.py allows no more
  const POINTS = 500;
  const STEP = 8; // a new point is at least so far from the last: a hand's tremble is no drawing
  const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  const bounded = (value) => Math.max(-FURTHEST, Math.min(FURTHEST, Math.round(value)));

  /* Puts a sheet into `host`; gives {strokes(), onChange}. `start` is when the question stood there, of performance.now. */
  kit.pad = function (host, start) {
    host.innerHTML =
      "<canvas class='sheet' tabindex='0' role='application' aria-label='A sheet to draw on. Arrow keys move the pen, " +
      "space puts it down or takes it up.'></canvas><div class='tools'>" +
      "<button type='button' class='jspsych-btn' id='undo'>Undo</button>" +
      "<button type='button' class='jspsych-btn' id='clear'>Clear</button>" +
      "<button type='button' class='jspsych-btn' id='done' disabled>Done</button></div>";
    const canvas = host.querySelector("canvas");
    const ink = canvas.getContext("2d");
    const strokes = [];
    let current = null; // the stroke of the pointer that is down
    let pointer = null;
    let pen = [0, 0]; // the keys' pen
    let keyed = null; // its stroke, while it is down
    let showsPen = false;
    const pad = { strokes: () => strokes.filter((stroke) => stroke.length), onChange: () => {} };

    function now() {
      return Math.max(0, Math.round(performance.now() - start));
    }

    function add(stroke, x, y) {
      if (stroke.length >= POINTS) return;
      const last = stroke[stroke.length - 1];
      if (last && Math.hypot(x - last[0], y - last[1]) < STEP) return;
      stroke.push([bounded(x), bounded(y), now()]);
    }

    function begin(x, y) {
      if (strokes.length >= STROKES) return null;
      const stroke = [];
      add(stroke, x, y);
      strokes.push(stroke);
      return stroke;
    }

    function paint() {
      const side = canvas.clientWidth;
      const scale = window.devicePixelRatio || 1;
      const wanted = Math.max(1, Math.round(side * scale));
      if (canvas.width !== wanted) canvas.width = canvas.height = wanted;
      ink.setTransform(wanted / (2 * EDGE), 0, 0, wanted / (2 * EDGE), wanted / 2, wanted / 2);
      ink.clearRect(-EDGE, -EDGE, 2 * EDGE, 2 * EDGE);
      ink.lineWidth = 30;
      ink.lineCap = ink.lineJoin = "round";
      ink.strokeStyle = ink.fillStyle = "#111";
      for (const stroke of strokes) {
        if (!stroke.length) continue;
        ink.beginPath();
        ink.moveTo(stroke[0][0], stroke[0][1]);
        for (const [x, y] of stroke) ink.lineTo(x, y);
        ink.stroke();
      }
      if (showsPen) {
        ink.lineWidth = 8;
        ink.strokeStyle = keyed ? "#0b57d0" : "#6b6b70";
        ink.beginPath();
        ink.arc(pen[0], pen[1], 45, 0, 7);
        ink.stroke();
      }
    }

    function changed() {
      paint();
      pad.onChange();
    }

    function at(event) {
      const box = canvas.getBoundingClientRect();
      return [((event.clientX - box.left) / box.width) * 2 * EDGE - EDGE, ((event.clientY - box.top) / box.height) * 2 * EDGE - EDGE];
    }

    canvas.addEventListener("pointerdown", (event) => {
      if (pointer !== null || event.button > 0) return; // a second finger draws nothing
      event.preventDefault();
      pointer = event.pointerId;
      canvas.setPointerCapture(pointer);
      current = begin(...at(event));
      changed();
    });
    canvas.addEventListener("pointermove", (event) => {
      if (event.pointerId !== pointer || !current) return;
      const seen = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
      for (const each of seen.length ? seen : [event]) add(current, ...at(each));
      changed();
    });
    const up = (event) => {
      if (event.pointerId !== pointer) return;
      pointer = current = null;
      changed();
    };
    canvas.addEventListener("pointerup", up);
    canvas.addEventListener("pointercancel", up);
    canvas.addEventListener("focus", () => {
      showsPen = canvas.matches(":focus-visible");
      paint();
    });
    canvas.addEventListener("blur", () => {
      showsPen = false;
      keyed = null;
      paint();
    });
    canvas.addEventListener("keydown", (event) => {
      if (event.key === " ") {
        keyed = keyed ? null : begin(pen[0], pen[1]);
      } else if (event.key in KEYS) {
        const step = event.shiftKey ? 20 : 100;
        pen = pen.map((value, i) => Math.max(-EDGE, Math.min(EDGE, value + KEYS[event.key][i] * step)));
        if (keyed) add(keyed, pen[0], pen[1]);
      } else {
        return;
      }
      event.preventDefault();
      event.stopPropagation();
      showsPen = true;
      changed();
    });
    host.querySelector("#undo").addEventListener("click", () => {
      strokes.pop();
      current = keyed = null;
      changed();
    });
    host.querySelector("#clear").addEventListener("click", () => {
      strokes.length = 0;
      current = keyed = null;
      changed();
    });
    const watch = new ResizeObserver(paint); // its size follows the window, and the question above it
    watch.observe(canvas);
    pad.done = () => watch.disconnect();
    paint();
    return pad;
  };
})();
