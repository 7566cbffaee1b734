// The address holds all settings.  Where the clipboard is closed to a page, a field shows it.

export default function ({ parentElement }) {
  const button = parentElement.querySelector("button"), field = parentElement.querySelector("input");
  button.onclick = async () => {
    try {
      await navigator.clipboard.writeText(location.href);
      button.textContent = "Copied: settings, not the photo";
      setTimeout(() => (button.textContent = "Copy link"), 4000);
    } catch {
      field.hidden = false;
      field.value = location.href;
      field.select();
    }
  };
}
