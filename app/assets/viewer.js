// One to four pictures of one photo.  Zoom and place are linked and outlive new pictures; A and B
// may lie over each other with a wipe between them, as they do where there is no room for two.

const NARROW = 560; // px
const MOST = 8;
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".viewer");
  const frames = root.querySelector(".frames"), slide = root.querySelector(".slide input");
  const view = (root.view ??= { mode: null, scale: 1, x: 0, y: 0, wipe: 50 });
  const pictures = data.pictures;

  const wiping = () =>
    pictures.length > 1 &&
    (view.mode ?? (root.getBoundingClientRect().width < NARROW ? "wipe" : "side")) === "wipe";

  const image = ({ src, alt }, existing) => {
    const img = existing ?? document.createElement("img");
    if (img.getAttribute("src") !== src) img.src = src;
    img.alt = alt;
    img.draggable = false;
    return img;
  };
  const caption = (shown) => {
    const element = document.createElement("figcaption");
    for (const { letter, title } of shown) {
      const b = document.createElement("b"), words = document.createElement("span");
      b.textContent = letter;
      words.textContent = `${title}  `;
      if (letter) element.append(b);
      element.append(words);
    }
    return element;
  };

  // Elements are made anew only when their number or their place changes.
  const build = () => {
    const wipe = wiping();
    const groups = wipe
      ? [pictures.slice(0, 2), ...pictures.slice(2).map((p) => [p])]
      : pictures.map((p) => [p]);
    const old = [...frames.querySelectorAll("figure")];
    const same = old.length === groups.length &&
      old.every((f, i) => f.querySelectorAll("img").length === groups[i].length);
    groups.forEach((group, i) => {
      const figure = same ? old[i] : document.createElement("figure");
      let frame = figure.querySelector(".frame");
      const images = same ? [...figure.querySelectorAll("img")] : [];
      if (!frame) {
        frame = document.createElement("div");
        frame.className = "frame";
        frame.tabIndex = 0;
        frame.setAttribute("role", "group");
        frame.append(image(group[0]));
        if (group.length > 1) {
          const over = document.createElement("div"), line = document.createElement("div");
          over.className = "over";
          line.className = "line";
          over.append(image(group[1]));
          frame.append(over, line);
        }
        figure.append(frame);
        listen(frame, group.length > 1);
      } else images.forEach((img, place) => image(group[place], img));
      frame.setAttribute("aria-label",
        "Picture. Plus and minus zoom all pictures, arrow keys move them, 0 shows all.");
      figure.style.setProperty("--ratio", group[0].ratio);
      figure.querySelector("figcaption")?.remove();
      figure.append(caption(group));
      if (!same) {
        if (i === 0) frames.replaceChildren();
        frames.append(figure);
      }
    });
    frames.classList.toggle("wipe", wipe);
    root.classList.toggle("wiping", wipe);
    root.classList.toggle("single", pictures.length < 2);
    for (const button of root.querySelectorAll("[data-mode]")) {
      button.setAttribute("aria-pressed", String((button.dataset.mode === "wipe") === wipe));
    }
    draw();
  };

  const draw = () => {
    const least = 1 - view.scale;
    view.x = clamp(view.x, least, 0);
    view.y = clamp(view.y, least, 0);
    root.style.setProperty("--scale", view.scale);
    root.style.setProperty("--x", `${100 * view.x}%`);
    root.style.setProperty("--y", `${100 * view.y}%`);
    root.style.setProperty("--wipe", `${view.wipe}%`);
    slide.value = view.wipe;
    for (const frame of frames.querySelectorAll(".frame")) {
      frame.classList.toggle("zoomed", view.scale > 1);
    }
  };
  const zoom = (factor, px = 0.5, py = 0.5) => {
    const scale = clamp(view.scale * factor, 1, MOST);
    view.x = px - ((px - view.x) * scale) / view.scale;
    view.y = py - ((py - view.y) * scale) / view.scale;
    view.scale = scale;
    draw();
  };
  const at = (frame, event) => {
    const area = frame.getBoundingClientRect();
    return [(event.clientX - area.left) / area.width, (event.clientY - area.top) / area.height];
  };

  function listen(frame, wipe) {
    frame.onwheel = (event) => {
      if (!event.ctrlKey) return; // the page scrolls; a pinch on a touchpad comes with Ctrl
      event.preventDefault();
      zoom(Math.exp(-event.deltaY / 200), ...at(frame, event));
    };
    frame.ondblclick = (event) => zoom(2, ...at(frame, event));
    frame.onpointerdown = (event) => {
      if (event.button !== 0 || (view.scale === 1 && !wipe)) return;
      frame.setPointerCapture(event.pointerId);
      let [x, y] = at(frame, event);
      frame.onpointermove = (moved) => {
        const [nx, ny] = at(frame, moved);
        if (view.scale > 1) [view.x, view.y] = [view.x + nx - x, view.y + ny - y];
        else view.wipe = clamp(100 * nx, 0, 100);
        [x, y] = [nx, ny];
        draw();
      };
      frame.onpointerup = frame.onpointercancel = () => {
        frame.onpointermove = frame.onpointerup = frame.onpointercancel = null;
      };
    };
    frame.onkeydown = (event) => {
      const step = 0.1;
      const move = { ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step],
        ArrowDown: [0, -step] }[event.key];
      if (move && view.scale > 1) [view.x, view.y] = [view.x + move[0], view.y + move[1]];
      else if (event.key === "+" || event.key === "=") zoom(1.5);
      else if (event.key === "-") zoom(1 / 1.5);
      else if (event.key === "0") view.scale = 1;
      else return;
      event.preventDefault();
      draw();
    };
  }

  for (const button of root.querySelectorAll("[data-mode]")) {
    button.onclick = () => {
      view.mode = button.dataset.mode;
      build();
    };
  }
  for (const button of root.querySelectorAll("[data-do]")) {
    const factor = { in: 1.5, out: 1 / 1.5, fit: 0 }[button.dataset.do];
    button.onclick = () => zoom(factor || 1 / MOST);
  }
  slide.oninput = () => {
    view.wipe = Number(slide.value);
    draw();
  };

  const observer = new ResizeObserver(() => {
    if (wiping() !== frames.classList.contains("wipe")) build();
  });
  build();
  observer.observe(root);
  return () => observer.disconnect();
}
