/** A color of sRGB; each channel from 0 to 255. */
type Rgb = readonly [red: number, green: number, blue: number];

/** The luminance at which black and white have the same contrast with a color (WCAG 2.2, relative luminance). */
const MIDDLE_LUMINANCE = 0.179;

/**
 * Parses an opaque CSS color: `#rgb`, `#rrggbb`, `rgb()` or `hsl()`.
 *
 * @returns the color as `#rrggbb`; `undefined` for any other text
 */
export function parseColor(text: string): string | undefined {
  const color = parseHex(text.trim()) ?? parseFunction(text.trim().toLowerCase());
  return color && `#${color.map((channel) => Math.round(channel).toString(16).padStart(2, '0')).join('')}`;
}

/** Returns black or white: the text color that has more contrast with a color of {@link parseColor}, at least 4.5. */
export function chooseTextColor(color: string): '#000000' | '#ffffff' {
  const [red, green, blue] = parseHex(color)!.map(toLinear) as unknown as Rgb;
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > MIDDLE_LUMINANCE ? '#000000' : '#ffffff';
}

function toLinear(channel: number): number {
  const value = channel / 255;
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
}

function parseHex(text: string): Rgb | undefined {
  const digits = /^#(?:([\da-f]{3})|([\da-f]{6}))$/i.exec(text);
  if (!digits) return undefined;
  const long = digits[2] ?? digits[1]!.replace(/./g, '$&$&');
  return [0, 2, 4].map((at) => parseInt(long.slice(at, at + 2), 16)) as unknown as Rgb;
}

const NUMBER = String.raw`(\d+(?:\.\d+)?)`;
const SEPARATOR = String.raw`(?:\s*,\s*|\s+)`;
const RGB = new RegExp(`^rgb\\(\\s*${NUMBER}${SEPARATOR}${NUMBER}${SEPARATOR}${NUMBER}\\s*\\)$`);
const HSL = new RegExp(`^hsl\\(\\s*${NUMBER}(?:deg)?${SEPARATOR}${NUMBER}%${SEPARATOR}${NUMBER}%\\s*\\)$`);

function parseFunction(text: string): Rgb | undefined {
  const [red, green, blue] = (RGB.exec(text) ?? []).slice(1).map(Number);
  if (red !== undefined) return Math.max(red, green!, blue!) <= 255 ? [red, green!, blue!] : undefined;
  const [hue, saturation, lightness] = (HSL.exec(text) ?? []).slice(1).map(Number);
  if (hue === undefined || saturation! > 100 || lightness! > 100) return undefined;
  return convertHsl(hue % 360, saturation! / 100, lightness! / 100);
}

// CSS Color 4, section 7.1.
function convertHsl(hue: number, saturation: number, lightness: number): Rgb {
  const compute = (n: number): number => {
    const k = (n + hue / 30) % 12;
    const chroma = saturation * Math.min(lightness, 1 - lightness);
    return 255 * (lightness - chroma * Math.max(-1, Math.min(k - 3, 9 - k, 1)));
  };
  return [compute(0), compute(8), compute(4)];
}
