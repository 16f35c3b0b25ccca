import type { JSX } from 'preact';
import { useMemo, useRef, useState } from 'preact/hooks';
import type { PanelPreview } from '../panel-state.js';

interface HtmlPolicy {
  createHTML: (html: string) => string;
}
type PolicyFactory = { createPolicy: (name: string, rules: HtmlPolicy) => HtmlPolicy } | undefined;

/** The only place that makes HTML of a text: a page in a sandbox without scripts. */
const policy: HtmlPolicy = (window as { trustedTypes?: PolicyFactory }).trustedTypes?.createPolicy(
  'maintenance-panel',
  {
    createHTML: (html) => html,
  },
) ?? { createHTML: (html) => html };

/** The page that clients would get, and the JSON. */
export function PagePreview({ preview, problem }: { preview: PanelPreview | null; problem: string }): JSX.Element {
  const [isJson, setJson] = useState(false);
  return (
    <section class="preview" aria-labelledby="preview">
      <h2 id="preview">Preview</h2>
      <div class="choices" role="group" aria-label="Kind of preview">
        <button type="button" aria-pressed={!isJson} onClick={() => setJson(false)}>
          Page
        </button>
        <button type="button" aria-pressed={isJson} onClick={() => setJson(true)}>
          JSON
        </button>
      </div>
      {problem && <p class="problem">{problem}</p>}
      {!preview ? (
        <p class="soft">The preview appears here.</p>
      ) : isJson ? (
        <pre tabIndex={0} role="region" aria-label="JSON for programs">
          {JSON.stringify(preview.json, null, 2)}
        </pre>
      ) : (
        <Page html={preview.html} />
      )}
    </section>
  );
}

/**
 * The policy of the panel applies to the page in the frame too, and admits no styles but its own. So they are added
 * through the object model, which the policy allows.
 */
function Page({ html }: { html: string }): JSX.Element {
  const frame = useRef<HTMLIFrameElement>(null);
  const { source, css } = useMemo(() => prepare(html), [html]);
  const apply = (): void => {
    const view = frame.current?.contentWindow as (Window & typeof globalThis) | null | undefined;
    if (!view) return;
    const sheet = new view.CSSStyleSheet();
    sheet.replaceSync(css);
    view.document.adoptedStyleSheets = [sheet];
  };
  return (
    <iframe
      ref={frame}
      title="The page that clients get"
      // Without `allow-scripts` nothing in it runs; the styles need the same origin.
      sandbox="allow-same-origin"
      srcdoc={source}
      onLoad={apply}
      tabIndex={-1}
    />
  );
}

function prepare(html: string): { source: string; css: string } {
  const page = new DOMParser().parseFromString(policy.createHTML(html), 'text/html');
  const css = [...page.querySelectorAll('style')].map(({ textContent }) => textContent).join('\n');
  for (const element of page.querySelectorAll('style, script, link, meta[http-equiv], noscript')) element.remove();
  page.body.setAttribute('inert', '');
  return { source: policy.createHTML(`<!doctype html>${page.documentElement.outerHTML}`), css };
}
