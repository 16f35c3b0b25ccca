/**
 * Returns a language tag (BCP 47) in its canonical form, such as `pt-BR` for `pt-br`.
 *
 * @returns `undefined` for text that is no tag
 */
export function toLanguageTag(text: string): string | undefined {
  try {
    return Intl.getCanonicalLocales(text)[0];
  } catch {
    return undefined;
  }
}
