import { getEnd, getStart, toPublicWindow, ALL_SCOPES, type StoredWindow } from '../../core/maintenance-window.js';
import { currentOccurrence, listOccurrences } from '../../core/recurrence.js';
import { createWindow, openWindow } from '../../core/window-changes.js';
import { parseEnableOptions } from '../../core/window-options.js';
import type { StateMonitor } from '../../core/state-monitor.js';
import type { HttpRequest } from '../../http/http-request.interface.js';
import type { Responder } from '../../http/responder.js';
import { RefusalFactory } from '../../policy/refusal.js';
import type { Clock } from '../../utils/clock.js';
import { SHOWN_OCCURRENCES } from './panel-state-builder.js';
import type { PanelPreview } from './panel-state.js';

/** The id of a window that is not stored. */
const PREVIEW_ID = 'preview';

/** The dependencies of {@link createPreview}. */
export interface PreviewDeps {
  responder: Responder;
  monitor: StateMonitor;
  clock: Clock;
  /** Seconds for windows without an end. */
  retryAfter: number;
}

/**
 * Shows what clients would get during a window, by the code that refuses them.
 *
 * @param body - the options of the window
 * @param request - of the caller: its language is that of the preview
 * @throws {@link InvalidWindowError} for options that can't be used
 */
export async function createPreview(body: object, request: HttpRequest, deps: PreviewDeps): Promise<PanelPreview> {
  const { responder, monitor, clock, retryAfter } = deps;
  const now = clock.now();
  const stored = monitor.state?.windows ?? [];
  const window = createPreviewWindow(body, stored, now);
  const occurrences = listAll(window, now);
  const shown = occurrences[0] ?? window;
  const refusal = new RefusalFactory(retryAfter).create([shown], Math.max(now, getStart(shown)));
  const { html, json } = await responder.createPreview(refusal, request);
  return {
    html,
    json,
    occurrences: window.recurrence ? occurrences.map(({ startsAt, endsAt }) => ({ startsAt, endsAt })) : [],
    overlaps: stored
      .filter(({ id }) => id !== window.id)
      .flatMap((other) => findOverlap(occurrences, listAll(other, now)) ?? [])
      .map(toPublicWindow),
  };
}

// As it would be stored: a change of the active window keeps the fields that are not given.
function createPreviewWindow(body: object, stored: readonly StoredWindow[], now: number): StoredWindow {
  const fields = parseEnableOptions(body, now);
  const change = openWindow(stored, fields, now, PREVIEW_ID);
  if (change) return change.affected[0]!;
  const unchanged = stored.find(
    (window) => window.scope === fields.scope && window.mode === fields.mode && currentOccurrence(window, now),
  );
  return unchanged ?? createWindow(fields, now, PREVIEW_ID);
}

function listAll(window: StoredWindow, now: number): StoredWindow[] {
  const current = currentOccurrence(window, now);
  return [...(current ? [current] : []), ...listOccurrences(window, now, SHOWN_OCCURRENCES)];
}

function findOverlap(occurrences: StoredWindow[], others: StoredWindow[]): StoredWindow | undefined {
  return others.find((other) => occurrences.some((own) => isOverlapping(own, other)));
}

function isOverlapping(a: StoredWindow, b: StoredWindow): boolean {
  const hasCommonScope = a.scope === b.scope || a.scope === ALL_SCOPES || b.scope === ALL_SCOPES;
  return hasCommonScope && getStart(a) < getEnd(b) && getStart(b) < getEnd(a);
}
