import { chooseTextColor, parseColor } from './color.js';
import { readLogo } from './page-logo.js';

/** The parts of the option `response.page` that show whose page it is. */
export interface BrandingOptions {
  name?: string;
  logo?: string;
  accent?: string;
  supportUrl?: string;
  statusUrl?: string;
}

/** The application as its page shows it. */
export interface PageBranding {
  /** The name of the product. */
  name: string | null;
  /** The logo, as a data URL. */
  logo: string | null;
  /** The color of buttons and marks, as `#rrggbb`. */
  accent: string | null;
  /** The color of text on `accent`: black or white. */
  onAccent: string | null;
  supportUrl: string | null;
  statusUrl: string | null;
  /** Whether there is `supportUrl` or `statusUrl`. */
  hasLinks: boolean;
}

/**
 * Creates the branding of the page, and reads the logo.
 *
 * @throws {@link MaintenanceOptionsError} if the logo can't be used
 */
export function createBranding({ name, logo, accent, supportUrl, statusUrl }: BrandingOptions = {}): PageBranding {
  const color = accent === undefined ? null : (parseColor(accent) ?? null);
  return {
    name: name ?? null,
    logo: logo === undefined ? null : readLogo(logo),
    accent: color,
    onAccent: color && chooseTextColor(color),
    supportUrl: supportUrl ?? null,
    statusUrl: statusUrl ?? null,
    hasLinks: supportUrl !== undefined || statusUrl !== undefined,
  };
}
