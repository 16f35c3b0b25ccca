/** The browser side of the panel: its script, its style and the elements that the script fills. */
export const PANEL_DOCUMENT = {
  style: 'body{font-family:system-ui,sans-serif;margin:2rem}',
  script: 'document.getElementById("panel").textContent="The panel is not built yet.";',
};
