import { useEffect } from "react";

/** Names the tab; `null` while the name is not known. */
export function useDocumentTitle(title: string | null): void {
  useEffect(() => {
    document.title = title ? `${title} · Tracelake` : "Tracelake";
  }, [title]);
}
