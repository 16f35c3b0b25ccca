/** The browser part of the panel. The build puts the files of `client/` here, see scripts/build-panel.mjs. */
export const PANEL_DOCUMENT = { style: '', script: '' };
