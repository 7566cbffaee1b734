// A crop box on a photo: drag it, pull its corners, draw a new one, or use the keys.
// Python owns the box and gives it as data.box; a finished change goes back as the trigger "box".

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

export default function ({ data, parentElement, setTriggerValue }) {
  const find = (selector) => parentElement.querySelector(selector);
  const frame = find(".frame"), img = find("img"), box = find(".box"), share = find(".share");
  const [minWidth, minHeight] = data.min;
  let [left, top, right, bottom] = data.box;
  let timer = null;

  if (img.getAttribute("src") !== data.src) img.src = data.src;

  const draw = () => {
    Object.assign(box.style, {
      left: `${100 * left}%`, top: `${100 * top}%`,
      width: `${100 * (right - left)}%`, height: `${100 * (bottom - top)}%`,
    });
    const part = Math.round(100 * (right - left) * (bottom - top));
    share.textContent = part >= 100 ? "" : `${Math.max(part, 1)} % of the photo`;
  };
  const send = () => setTriggerValue("box", [left, top, right, bottom]);
  const sendSoon = () => { clearTimeout(timer); timer = setTimeout(send, 350); };

  const place = (l, t, width, height) => {
    width = clamp(width, minWidth, 1);
    height = clamp(height, minHeight, 1);
    left = clamp(l, 0, 1 - width);
    top = clamp(t, 0, 1 - height);
    right = left + width;
    bottom = top + height;
    draw();
  };
  const zoom = (factor) => {
    const width = clamp((right - left) / factor, minWidth, 1);
    const height = clamp((bottom - top) / factor, minHeight, 1);
    place((left + right - width) / 2, (top + bottom - height) / 2, width, height);
  };
  const at = (event) => {
    const area = frame.getBoundingClientRect();
    return [
      clamp((event.clientX - area.left) / area.width, 0, 1),
      clamp((event.clientY - area.top) / area.height, 0, 1),
    ];
  };

  frame.onpointerdown = (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    box.focus({ preventScroll: true });
    frame.setPointerCapture(event.pointerId);
    const [x0, y0] = at(event);
    const before = [left, top, right, bottom];
    const edge = event.target.dataset?.edge;
    const whole = right - left > 0.999 && bottom - top > 0.999;
    const move = !edge && event.target === box && !whole;
    // The corner that stays: opposite of the one that is pulled, or where a new box begins.
    const fixed = edge
      ? [edge[0] === "l" ? right : left, edge[1] === "t" ? bottom : top]
      : [x0, y0];
    frame.onpointermove = (moved) => {
      const [x, y] = at(moved);
      if (move) {
        place(before[0] + x - x0, before[1] + y - y0, before[2] - before[0], before[3] - before[1]);
      } else {
        const [fx, fy] = fixed;
        const width = Math.max(Math.abs(x - fx), minWidth);
        const height = Math.max(Math.abs(y - fy), minHeight);
        place(x < fx ? fx - width : fx, y < fy ? fy - height : fy, width, height);
      }
    };
    frame.onpointerup = frame.onpointercancel = () => {
      frame.onpointermove = frame.onpointerup = frame.onpointercancel = null;
      if ([left, top, right, bottom].some((value, i) => value !== before[i])) send();
    };
  };

  box.onkeydown = (event) => {
    const step = 0.02;
    const [dx, dy] = {
      ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step],
    }[event.key] ?? [0, 0];
    if (dx || dy) {
      if (event.shiftKey) {
        const width = clamp(right - left + dx, minWidth, 1 - left);
        place(left, top, width, clamp(bottom - top + dy, minHeight, 1 - top));
      } else {
        place(left + dx, top + dy, right - left, bottom - top);
      }
    } else if (event.key === "+" || event.key === "=") zoom(1.15);
    else if (event.key === "-") zoom(1 / 1.15);
    else return;
    event.preventDefault();
    sendSoon();
  };

  for (const button of parentElement.querySelectorAll("[data-do]")) {
    button.onclick = () => {
      if (button.dataset.do === "whole") place(0, 0, 1, 1);
      else zoom(button.dataset.do === "in" ? 1.3 : 1 / 1.3);
      sendSoon();
    };
  }

  draw();
  return () => clearTimeout(timer);
}
