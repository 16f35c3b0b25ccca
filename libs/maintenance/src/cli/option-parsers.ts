import { InvalidArgumentError } from 'commander';
import { UsageError } from '../errors/usage.error.js';
import { isAddressOrBlock } from '../utils/compile-addresses.js';
import { parseDate } from '../utils/dates.js';
import { toLanguageTag } from '../utils/language-tag.js';
import type { MaintenanceMode } from '../core/maintenance-window.js';
import { parseDuration } from './duration.js';
import { isLocalTime, type TypedTime } from './local-time.js';

/** Parses the value of an option. Commander calls it with the result for the same option before, if any. */
type OptionParser<T> = (text: string, previous: unknown) => T;

/** Rejects an option that is given twice: commander would silently drop one of the values. */
function parseOnce<T>(read: (text: string) => T): OptionParser<T> {
  return (text, previous) => {
    if (previous === undefined) return read(text);
    throw new InvalidArgumentError(`It is already set to ${JSON.stringify(previous)}; give it once.`);
  };
}

/** Accepts the URL of a storage. It may contain a password, so the error does not repeat it. */
export const readStorage: OptionParser<string> = (text, previous) => {
  if (previous === undefined) return text;
  throw new UsageError('--storage is already set; give it once.');
};

/** Accepts any text. */
export const readText = parseOnce((text) => text);

/** Accepts a name that is not empty. */
export const readName = parseOnce((text) => {
  if (text.trim() !== '') return text;
  throw new InvalidArgumentError('Expected a non-empty name.');
});

/** Parses an address or a CIDR block, and adds it to those before. An empty text adds none, which clears the list. */
export const readAddress: OptionParser<string[]> = (text, previous) => {
  const addresses = (previous as string[] | undefined) ?? [];
  if (text.trim() === '') return addresses;
  if (isAddressOrBlock(text)) return [...addresses, text];
  throw new InvalidArgumentError('Expected an IP address or a CIDR block, such as 203.0.113.7 or 2001:db8::/32.');
};

/** Parses the mode of a window. */
export const readMode = parseOnce((text): MaintenanceMode => {
  if (text === 'full' || text === 'read-only') return text;
  throw new InvalidArgumentError('Expected full or read-only.');
});

/** Parses what `run` does with its window after a failure. */
export const readFailureAction = parseOnce((text): 'keep' | 'off' => {
  if (text === 'keep' || text === 'off') return text;
  throw new InvalidArgumentError('Expected keep or off.');
});

/** Parses a moment, or a local time in the time zone of `--tz`. */
export const readTime = parseOnce((text): TypedTime => {
  const time = parseDate(text);
  if (time !== undefined) return time;
  if (isLocalTime(text)) return { local: text };
  throw new InvalidArgumentError(
    'Expected a date that exists, in ISO 8601 with a time zone, such as 2030-12-01T02:00Z or 2030-12-01T03:00+01:00, or without one and with --tz.',
  );
});

/** Accepts the name of a time zone that this Node.js knows. */
export const readZone = parseOnce((text) => {
  try {
    new Intl.DateTimeFormat('en', { timeZone: text });
    return text;
  } catch {
    throw new InvalidArgumentError('Expected an IANA time zone, such as Europe/Rome or UTC.');
  }
});

/** Parses a duration into milliseconds. */
export const readDuration = parseOnce((text) => {
  const duration = parseDuration(text);
  if (duration !== undefined) return duration;
  throw new InvalidArgumentError('Expected a duration, such as 30m, 2h, 1h30m, 90s or 1d; ten years at most.');
});

/** Parses a whole number of seconds. */
export const readSeconds = parseOnce((text) => {
  const seconds = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(seconds)) return seconds;
  throw new InvalidArgumentError('Expected a whole number of seconds, such as 120; 0 sends no Retry-After header.');
});

/** Parses the number of a revision. */
export const readRevision = parseOnce((text) => {
  const revision = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(revision)) return revision;
  throw new InvalidArgumentError('Expected the number of a revision, as `status --json` prints it.');
});

/** Accepts a language tag (BCP 47), in any case. */
export const readLanguage = parseOnce(parseLanguageTag);

/**
 * Parses a language tag.
 *
 * @throws InvalidArgumentError for any other text
 */
export function parseLanguageTag(text: string): string {
  const tag = toLanguageTag(text);
  if (tag !== undefined) return tag;
  throw new InvalidArgumentError('Expected a language tag (BCP 47), such as de, pt-BR or zh-Hant.');
}
