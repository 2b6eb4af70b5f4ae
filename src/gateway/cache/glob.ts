/** Whether a text matches a pattern of `*` (any run) and `?` (any one), every other character standing for itself. */
export function matchesGlob(text: string, pattern: string): boolean {
  let at = 0;
  let place = 0;
  let star = -1;
  let starAt = 0;
  while (at < text.length) {
    const wanted = pattern[place];
    if (wanted === '*') {
      star = place++;
      starAt = at;
    } else if (wanted !== undefined && (wanted === '?' || wanted === text[at])) {
      at++;
      place++;
    } else if (star >= 0) {
      // The last star takes one more; earlier ones need not be tried again.
      place = star + 1;
      at = ++starAt;
    } else return false;
  }
  while (pattern[place] === '*') place++;
  return place === pattern.length;
}
