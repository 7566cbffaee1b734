// What only the browser knows: Back and Forward, a picture in the clipboard, where the focus is, how
// wide the window is, and how dark the page.

const PATIENCE = 8000; // ms: an answer may take a while to be drawn
const NARROW = 768; // px: the sidebar lies over the page

const uncover = () => {
  const closes = document.querySelector('[data-testid="stSidebarCollapseButton"]');
  if (innerWidth < NARROW) (closes?.querySelector("button") ?? closes)?.click();
};

// Drawers lie outside of the part of the page that Streamlit tells its theme to.
const darken = (app) => {
  document.documentElement.style.colorScheme = getComputedStyle(app).colorScheme;
};

export default function ({ data, setTriggerValue }) {
  const known = (window.lafe ??= {});
  known.send = setTriggerValue;
  known.path = location.pathname;

  if (!known.listens) {
    known.listens = true;
    const app = document.querySelector('[data-testid="stApp"]');
    new MutationObserver(() => darken(app)).observe(app, { attributeFilter: ["class"] });
    darken(app);
    // Before Streamlit hears of it: it would run the page with the settings of the session, which
    // would then write themselves into the address again.  Other pages are its own affair.
    window.addEventListener("popstate", (event) => {
      if (location.pathname === known.path) event.stopImmediatePropagation();
      known.path = location.pathname;
      known.send("back", location.search);
    }, true);
    // A phone that is asked for these alone hands over its own photos as JPEG, not as HEIC; whatever
    // else is dropped still comes, and is refused in words.
    document.addEventListener("click", () => {
      for (const input of document.querySelectorAll('input[type="file"]')) {
        input.accept = "image/jpeg,image/png,image/webp";
      }
    }, true);
    document.addEventListener("click", (event) => {
      if (event.target.closest?.('[data-testid="stSidebarNavLink"]')) setTimeout(uncover, 300);
    }, true);
    document.addEventListener("paste", (event) => {
      const file = [...(event.clipboardData?.files ?? [])].find((f) => f.type.startsWith("image/"));
      if (!file) return;
      event.preventDefault();
      const reader = new FileReader();
      reader.onload = () => known.send("pasted", { name: file.name, url: reader.result });
      reader.readAsDataURL(file);
    });
  }

  if (data.focus && data.focus !== known.focused) {
    known.focused = data.focus;
    uncover();
    const end = performance.now() + PATIENCE;
    const look = () => {
      const answer = document.getElementById("the-answer");
      if (answer) answer.focus({ preventScroll: true });
      else if (performance.now() < end) requestAnimationFrame(look);
    };
    look();
  }
}
