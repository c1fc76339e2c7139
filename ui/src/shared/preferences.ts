// What a reader chose for this browser: kept in local storage, never in the address.
export function readPreference(name: string): string | null {
  try {
    return localStorage.getItem(`tracelake.${name}`);
  } catch {
    return null; // storage is switched off: the default holds
  }
}

export function writePreference(name: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(`tracelake.${name}`);
    else localStorage.setItem(`tracelake.${name}`, value);
  } catch (error) {
    console.warn("The preference holds for this page only.", error);
  }
}
