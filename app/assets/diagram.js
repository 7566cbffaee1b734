// Python draws the diagram, lying and upright, of which one is shown; a click or a key on a branch
// goes back as the trigger "switch".

export default function ({ data, parentElement, setTriggerValue }) {
  const drawing = parentElement.querySelector(".drawing");
  const focused = parentElement.activeElement?.dataset?.switch;
  drawing.innerHTML = data;
  if (focused) {
    for (const branch of drawing.querySelectorAll(`[data-switch="${focused}"]`)) branch.focus();
  }
  const flip = (event) => {
    const branch = event.target.closest?.("[data-switch]");
    if (branch) setTriggerValue("switch", branch.dataset.switch);
    return Boolean(branch);
  };
  drawing.onclick = flip;
  drawing.onkeydown = (event) => {
    if ((event.key === " " || event.key === "Enter") && flip(event)) event.preventDefault();
  };
}
