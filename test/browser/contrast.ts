/**
 * Runs in a page: the lowest contrast ratio (WCAG 2.2, success criterion 1.4.3) between a visible text and the background behind
 * it, with the text.
 */
export const LOWEST_CONTRAST = `(() => {
  const channels = (colour) => (colour.match(/[\\d.]+/g) ?? []).map(Number);
  const luminance = (colour) => {
    const [r, g, b] = channels(colour).map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    const colour = getComputedStyle(element).backgroundColor;
    return channels(colour)[3] === 0 && element.parentElement ? behind(element.parentElement) : colour;
  };
  const ratios = [...document.querySelectorAll('main *')]
    .filter((element) => element.checkVisibility() && [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim()))
    .map((element) => {
      const lights = [luminance(getComputedStyle(element).color), luminance(behind(element))].sort((a, b) => b - a);
      return { text: element.textContent.trim(), ratio: (lights[0] + 0.05) / (lights[1] + 0.05) };
    });
  return { count: ratios.length, ...ratios.sort((a, b) => a.ratio - b.ratio)[0] };
})()`;
