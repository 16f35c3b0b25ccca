/** Redacts the credentials of all URLs in a text: everything before the `@`, rather too much than a password. */
export function redactCredentials(text: string): string {
  return text.replace(/([a-z][a-z\d+.-]*:\/\/)[^\s"'<>]*@/gi, '$1***@');
}

/** Redacts one URL, valid or not: everything between its scheme and the last `@`, and its query. */
export function redactUrlCredentials(url: string): string {
  return url.replace(/^([a-z][a-z\d+.-]*:(?:\/\/)?)?.*@/is, '$1***@').replace(/\?.*$/s, '?...');
}

/** Whether the query of a URL may be part of a password, since an `@` comes after its `?`. */
export function mayQueryHoldPassword(url: string): boolean {
  return /\?.*@/s.test(url);
}
