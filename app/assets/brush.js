// A brush on a photo.  What is painted is a grid of cells, data.side by data.side over the picture,
// whatever its size.  Python owns it and gives it as data.cells, eight cells a byte, in base64; a
// finished stroke goes back the same way as the trigger "cells".

const INK = [215, 25, 28];

const unpack = (text, count) => {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  return Uint8Array.from({ length: count }, (_, i) => ((bytes[i >> 3] ?? 0) >> (7 - (i & 7))) & 1);
};
const pack = (cells) => {
  const bytes = new Uint8Array(Math.ceil(cells.length / 8));
  cells.forEach((on, i) => { bytes[i >> 3] |= on << (7 - (i & 7)); });
  return btoa(String.fromCharCode(...bytes));
};

export default function ({ data, parentElement, setTriggerValue }) {
  const find = (selector) => parentElement.querySelector(selector);
  const frame = find(".frame"), img = find("img"), canvas = find("canvas"), tip = find(".tip");
  const size = find("input"), modes = [...parentElement.querySelectorAll("[data-do]")];
  const side = data.side;
  const cells = unpack(data.cells, side * side);
  let [x, y] = [0.5, 0.5];
  let timer = null;

  if (img.getAttribute("src") !== data.src) img.src = data.src;
  img.alt = data.alt;
  frame.style.setProperty("--ratio", data.ratio);
  canvas.width = canvas.height = side;
  const context = canvas.getContext("2d");

  const erases = () => find('[data-do="erase"]').getAttribute("aria-pressed") === "true";
  const radius = () => Number(size.value) / 100; // of the longer side
  const draw = () => {
    const pixels = context.createImageData(side, side);
    cells.forEach((on, i) => { if (on) pixels.data.set([...INK, 255], 4 * i); });
    context.putImageData(pixels, 0, 0);
  };
  const send = () => setTriggerValue("cells", pack(cells));
  const sendSoon = () => { clearTimeout(timer); timer = setTimeout(send, 350); };
  const point = () => {
    const longer = 2 * radius();
    Object.assign(tip.style, {
      left: `${100 * x}%`, top: `${100 * y}%`,
      width: `${100 * longer * Math.max(1, 1 / data.ratio)}%`,
      height: `${100 * longer * Math.max(1, data.ratio)}%`,
    });
    tip.hidden = false;
  };
  // A round tip on the photo is an ellipse on cells, which are as wide and high as the photo is.
  const stamp = () => {
    const rx = radius() * side * Math.max(1, 1 / data.ratio), ry = radius() * side * Math.max(1, data.ratio);
    const on = erases() ? 0 : 1;
    for (let row = 0; row < side; row++) {
      for (let column = 0; column < side; column++) {
        const dx = (column + 0.5 - x * side) / rx, dy = (row + 0.5 - y * side) / ry;
        if (dx * dx + dy * dy <= 1) cells[row * side + column] = on;
      }
    }
  };
  const where = (event) => {
    const area = frame.getBoundingClientRect();
    return [(event.clientX - area.left) / area.width, (event.clientY - area.top) / area.height];
  };
  const move = (event) => {
    [x, y] = where(event);
    point();
  };

  frame.onpointermove = move;
  frame.onpointerleave = () => { tip.hidden = true; };
  frame.onpointerdown = (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    frame.focus({ preventScroll: true });
    frame.setPointerCapture(event.pointerId);
    move(event);
    stamp();
    draw();
    frame.onpointermove = (moved) => {
      const [x0, y0] = [x, y], [x1, y1] = where(moved);
      const steps = Math.max(1, Math.ceil(Math.hypot(x1 - x0, y1 - y0) / (radius() / 2)));
      for (let i = 1; i <= steps; i++) {
        [x, y] = [x0 + (x1 - x0) * i / steps, y0 + (y1 - y0) * i / steps];
        stamp();
      }
      point();
      draw();
    };
    frame.onpointerup = frame.onpointercancel = () => {
      frame.onpointermove = move;
      frame.onpointerup = frame.onpointercancel = null;
      send();
    };
  };
  frame.onkeydown = (event) => {
    const step = 0.03;
    const [dx, dy] = {
      ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step],
    }[event.key] ?? [0, 0];
    if (dx || dy) {
      [x, y] = [Math.min(Math.max(x + dx, 0), 1), Math.min(Math.max(y + dy, 0), 1)];
      point();
    } else if (event.key === " ") {
      point();
      stamp();
      draw();
      sendSoon();
    } else return;
    event.preventDefault();
  };
  frame.onblur = () => { tip.hidden = true; };

  for (const button of modes) {
    button.onclick = () => {
      if (button.dataset.do === "clear") {
        cells.fill(0);
        draw();
        send();
        return;
      }
      for (const other of modes) {
        if (other.dataset.do !== "clear") other.setAttribute("aria-pressed", String(other === button));
      }
    };
  }

  draw();
  return () => clearTimeout(timer);
}
