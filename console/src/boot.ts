import { applyTheme, preferredLanguage, preferredTheme } from './preferences.ts';

// Runs before the first paint, so that neither the theme nor the language flickers.
applyTheme(preferredTheme());
document.documentElement.lang = preferredLanguage();
