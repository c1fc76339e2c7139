// Light, dark, or what the system says. `public/theme.js` applies the choice before the first paint.
import { useCallback, useState } from "react";
import { readPreference, writePreference } from "./preferences";

export type Theme = "system" | "light" | "dark";
const NEXT: Record<Theme, Theme> = { system: "light", light: "dark", dark: "system" };

export function useTheme(): [Theme, () => void] {
  const [theme, setTheme] = useState<Theme>(readTheme);
  const change = useCallback(() => {
    const next = NEXT[theme];
    applyTheme(next);
    setTheme(next);
  }, [theme]);
  return [theme, change];
}

function readTheme(): Theme {
  const stored = readPreference("theme");
  return stored === "dark" || stored === "light" ? stored : "system";
}

function applyTheme(theme: Theme): void {
  writePreference("theme", theme === "system" ? null : theme);
  if (theme === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
}
