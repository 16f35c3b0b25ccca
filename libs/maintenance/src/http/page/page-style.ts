import { compact } from './compact.js';

/**
 * The style of the built-in page. Constant to the byte: the Content-Security-Policy carries its hash, so it must not
 * hold any expression of the template.
 */
export const PAGE_STYLE = compact(`
  :root {
    color-scheme: light dark;
    --paper: #f3f6f5; --ink: #16211f; --soft: #50605c; --line: #c9d4d1; --accent: #0d6156;
  }
  @media (prefers-color-scheme: dark) {
    :root { --paper: #0f1615; --ink: #e6edeb; --soft: #a0b0ac; --line: #2f3c39; --accent: #7fcdbf; }
  }
  * { box-sizing: border-box; margin: 0; }
  /* The display of a rule would override the attribute. */
  [hidden] { display: none !important; }
  body {
    display: grid; align-items: center; min-height: 100vh; min-height: 100svh;
    padding: clamp(1.5rem, 7vw, 5rem);
    background: var(--paper); color: var(--ink);
    font: 1.0625rem/1.6 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  }
  /* An operator's long word must break, not widen the page. */
  main { width: 100%; min-width: 0; max-width: 37rem; margin: 0 auto; overflow-wrap: anywhere; }
  svg { display: block; width: 3rem; height: 3rem; margin-bottom: 1.75rem; fill: none; stroke-width: 2.5; }
  .ring { stroke: var(--line); }
  .arc { stroke: var(--accent); }
  h1 {
    font: 500 clamp(2rem, 8vw, 3.1rem)/1.12 ui-serif, "Iowan Old Style", Palatino, Georgia, serif;
    letter-spacing: -.015em; text-wrap: balance;
  }
  .message { margin-top: 1.1rem; font-size: 1.1875rem; white-space: pre-line; }
  .note { margin-top: 1.1rem; padding-inline-start: 1rem; border-inline-start: 2px solid var(--accent); }
  dl { display: flex; flex-wrap: wrap; gap: 1rem 3rem; margin-top: 2rem; padding-top: 1.25rem; border-top: 1px solid var(--line); }
  dt, .hint, [role=status] { color: var(--soft); font-size: .9375rem; }
  dd { font-variant-numeric: tabular-nums; }
  .again { display: flex; flex-wrap: wrap; align-items: center; gap: .75rem 1.25rem; margin-top: 2rem; }
  a {
    padding: .6rem 1.25rem; border: 1px solid var(--accent); border-radius: 99px;
    color: var(--accent); text-decoration: none;
  }
  a:hover { background: var(--accent); color: var(--paper); }
  a:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px; }
  .hint { flex: 1 1 14rem; text-wrap: balance; }
  /* Keeps its line, so that nothing jumps when it speaks. */
  [role=status] { min-height: 1.6em; margin-top: 1rem; }
  @media (prefers-reduced-motion: no-preference) {
    .arc { transition: stroke-dasharray 1s linear; }
  }
  @media (forced-colors: active) {
    .ring { stroke: GrayText; }
    .arc { stroke: CanvasText; }
  }
`);
