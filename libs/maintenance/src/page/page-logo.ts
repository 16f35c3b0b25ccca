import { readFileSync, statSync } from 'node:fs';
import { extname, resolve } from 'node:path';
import { MaintenanceOptionsError } from '../errors/maintenance-options.error.js';

/** Each page contains the logo. */
const MAX_LOGO_BYTES = 64 * 1024;
/** Base64 takes a third more; the type stands before it. */
const MAX_DATA_URL_LENGTH = Math.ceil(MAX_LOGO_BYTES / 3) * 4 + 100;

const DATA_URL = /^data:image\/(?:avif|gif|jpeg|png|svg\+xml|webp)(?:;[\w=.+-]+)*,[^\s"<>]+$/i;

/** The types of images, by the bytes with which their files begin. */
const SIGNATURES: readonly (readonly [type: string, pattern: RegExp])[] = [
  ['image/png', /^\x89PNG\r\n/],
  ['image/jpeg', /^\xff\xd8\xff/],
  ['image/gif', /^GIF8[79]a/],
  ['image/webp', /^RIFF[^]{4}WEBP/],
  ['image/avif', /^[^]{4}ftypavi[fs]/],
];

/**
 * Returns the logo as a data URL, so that the page needs no other request.
 *
 * @param logo - a data URL, or the path of an image relative to the working directory
 * @throws {@link MaintenanceOptionsError} if it can't be read, is not an image or is too large
 */
export function readLogo(logo: string): string {
  if (!/^data:/i.test(logo)) return readImage(resolve(logo));
  if (!DATA_URL.test(logo)) {
    throw createError('the data URL is not that of an AVIF, GIF, JPEG, PNG, SVG or WebP image. Encode it as base64');
  }
  if (logo.length > MAX_DATA_URL_LENGTH) throw createError(describeSize('the data URL', logo.length));
  return logo;
}

function readImage(file: string): string {
  const content = readContent(file);
  const type = findType(file, content);
  if (type === undefined) throw createError(`${file} is not an AVIF, GIF, JPEG, PNG, SVG or WebP image`);
  return `data:${type};base64,${content.toString('base64')}`;
}

function readContent(file: string): Buffer {
  try {
    const stats = statSync(file);
    // A device has no size, and reading it or a named pipe may never end.
    if (!stats.isFile()) throw new Error('it is not a file');
    const { size } = stats;
    if (size > MAX_LOGO_BYTES) throw new Error(describeSize('it', size));
    return readFileSync(file);
  } catch (error) {
    throw createError(`${file}: ${error instanceof Error ? error.message : String(error)}`, error);
  }
}

function findType(file: string, content: Buffer): string | undefined {
  const beginning = content.toString('latin1', 0, 16);
  const known = SIGNATURES.find(([, pattern]) => pattern.test(beginning));
  if (known) return known[0];
  const isSvg = extname(file).toLowerCase() === '.svg' && content.includes('<svg');
  return isSvg ? 'image/svg+xml' : undefined;
}

function describeSize(what: string, bytes: number): string {
  return `${what} has ${bytes} bytes, and every page would contain them. Use an image of at most ${MAX_LOGO_BYTES} bytes`;
}

function createError(reason: string, cause?: unknown): MaintenanceOptionsError {
  return new MaintenanceOptionsError(`the option \`response.page.logo\` can't be used: ${reason}.`, { cause });
}
