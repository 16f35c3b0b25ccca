import { useEffect, useState } from 'preact/hooks';
import type { PanelPreview } from '../panel-state.js';
import { request } from './api.js';

/** How long the typing has to pause. */
const DELAY_MS = 350;

export interface Preview {
  preview: PanelPreview | null;
  /** Why there is no preview, in the words of the server. */
  problem: string;
}

/**
 * Asks the server for the page and the JSON of a window, after each change.
 *
 * @param body - `null` while the window is incomplete
 */
export function usePreview(body: object | null): Preview {
  const [result, setResult] = useState<Preview>({ preview: null, problem: '' });
  const key = body && JSON.stringify(body);
  useEffect(() => {
    if (key === null) return;
    const abort = new AbortController();
    const timer = setTimeout(() => {
      void request<PanelPreview>('POST', '/panel/preview', JSON.parse(key) as object, abort.signal).then(
        ({ value, failure }) => {
          if (abort.signal.aborted) return;
          if (value) setResult({ preview: value, problem: '' });
          else setResult(({ preview }) => ({ preview, problem: failure?.kind === 'refused' ? failure.message : '' }));
        },
      );
    }, DELAY_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [key]);
  return result;
}
