import { LANGUAGES, type Language } from './words/words.ts';

export const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const LANGUAGE_KEY = 'sekisho.language';
const THEME_KEY = 'sekisho.theme';
const API_KEY = 'sekisho.key';

/** The remembered language, else the first of the browser's languages that the console speaks, else English. */
export function preferredLanguage(): Language {
  const stored = read(localStorageOrNone(), LANGUAGE_KEY);
  for (const tag of [stored ?? '', ...navigator.languages]) {
    const known = LANGUAGES.find((language) => tag.toLowerCase().split('-')[0] === language);
    if (known !== undefined) return known;
  }
  return 'en';
}

export function rememberLanguage(language: Language): void {
  write(localStorageOrNone(), LANGUAGE_KEY, language);
}

export function preferredTheme(): Theme {
  const stored = read(localStorageOrNone(), THEME_KEY);
  return THEMES.find((theme) => theme === stored) ?? 'system';
}

/** Shows the theme and remembers it; the style sheet follows the attribute. */
export function applyTheme(theme: Theme): void {
  if (theme === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = theme;
  write(localStorageOrNone(), THEME_KEY, theme);
}

/** The API key of this tab. */
export function storedApiKey(): string | undefined {
  return read(sessionStorageOrNone(), API_KEY);
}

/** Keeps the key for this tab only; undefined forgets it. */
export function storeApiKey(key: string | undefined): void {
  write(sessionStorageOrNone(), API_KEY, key);
}

/**
 * Takes `#key=...` out of the address, so that the key is neither in the history nor on screen, and
 * returns it. A fragment is never sent to a server.
 */
export function takeKeyFromAddress(): string | undefined {
  const key = new URLSearchParams(location.hash.slice(1)).get('key')?.trim();
  if (key === undefined || key === '') return undefined;
  history.replaceState(null, '', location.pathname + location.search);
  return key;
}

/* Storage may be switched off by the browser; then preferences last as long as the page. */
function localStorageOrNone(): Storage | undefined {
  try {
    return window.localStorage;
  } catch {
    return undefined;
  }
}

function sessionStorageOrNone(): Storage | undefined {
  try {
    return window.sessionStorage;
  } catch {
    return undefined;
  }
}

function read(storage: Storage | undefined, name: string): string | undefined {
  return storage?.getItem(name) ?? undefined;
}

function write(storage: Storage | undefined, name: string, value: string | undefined): void {
  try {
    if (value === undefined) storage?.removeItem(name);
    else storage?.setItem(name, value);
  } catch {
    // A full or forbidden storage loses the preference, not the page.
  }
}
