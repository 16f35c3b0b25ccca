import { createPublicStatus, type WindowsInForce } from '../../core/public-status.js';
import type { MonitorSnapshot, StateMonitor } from '../../core/state-monitor.js';
import { findMessage, type PageLanguages } from '../../page/page-languages.js';
import { encodeEvent } from '../stream-hub.js';

/** A reader of the public status: the scopes and languages that it asks for. */
export interface StatusReader {
  /** The scopes to which the status is narrowed; empty for all. */
  readonly scopes: readonly string[];
  readonly acceptLanguage: string;
}

/** The public status for some readers. */
export interface StatusAnswer {
  /** The status as JSON. */
  readonly body: Buffer;
  /** The same as an event of a stream. */
  readonly event: Buffer;
  /** Whether readers of other languages may get another answer. */
  readonly variesByLanguage: boolean;
  /** The language of its messages; `null` where it is not known, or not the same for all. */
  readonly language: string | null;
}

/** The cache is emptied when it has as many answers: clients may ask for every combination of scopes. */
const MAX_ANSWERS = 1_000;

/** Creates the answers of the public status, each once for all readers who get the same. */
export class PublicStatusAnswers {
  readonly #answers = new Map<string, StatusAnswer>();
  #snapshot: MonitorSnapshot | null = null;
  #windows: WindowsInForce = { forced: null, active: [], planned: [] };
  #scopes: ReadonlySet<string> = new Set();
  /** The messages of all windows by language: a reader gets one language. */
  #messages: Record<string, string> | undefined;

  constructor(
    private readonly monitor: Pick<StateMonitor, 'getSnapshot' | 'getPlannedWindows'>,
    private readonly languages: Pick<PageLanguages, 'negotiate'>,
  ) {}

  /** Returns the answer for a reader, as the same object as long as nothing changes. */
  find({ scopes, acceptLanguage }: StatusReader): StatusAnswer {
    this.#refresh();
    // Only windows on everything count for a scope that no window names.
    const named = [...new Set(scopes)].filter((scope) => this.#scopes.has(scope)).sort();
    const language = this.#messages ? this.languages.negotiate(acceptLanguage, this.#messages) : '';
    const key = JSON.stringify([scopes.length > 0, named, language]);
    let answer = this.#answers.get(key);
    if (!answer) {
      answer = this.#createAnswer(scopes.length > 0 && named.length === 0 ? NO_SCOPE : named, language);
      if (this.#answers.size === MAX_ANSWERS) this.#answers.clear();
      this.#answers.set(key, answer);
    }
    return answer;
  }

  #refresh(): void {
    const snapshot = this.monitor.getSnapshot();
    if (snapshot === this.#snapshot) return;
    this.#snapshot = snapshot;
    this.#answers.clear();
    const planned = this.monitor.getPlannedWindows();
    this.#windows = { forced: snapshot.forced, active: snapshot.active, planned };
    const windows = [...snapshot.active, ...planned];
    this.#scopes = new Set(windows.map(({ scope }) => scope));
    const messages = windows.map((window) => window.messages).filter((given) => given !== undefined);
    this.#messages = messages.length > 0 ? (Object.assign({}, ...messages) as Record<string, string>) : undefined;
  }

  #createAnswer(scopes: readonly string[], language: string): StatusAnswer {
    const languages = new Set<string | null>();
    const status = createPublicStatus(this.#windows, scopes, ({ message, messages }) => {
      const translated = findMessage(messages, language);
      const text = translated?.text ?? (message || null);
      if (text !== null) languages.add(translated?.tag ?? null);
      return text;
    });
    const [only = null] = languages;
    return {
      body: Buffer.from(JSON.stringify(status)),
      event: encodeEvent(status),
      variesByLanguage: this.#messages !== undefined,
      language: languages.size === 1 ? only : null,
    };
  }
}

/** Matches no window but those on everything. */
const NO_SCOPE: readonly string[] = [''];
