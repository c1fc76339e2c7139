import { Link } from "@tanstack/react-router";
import { MapPinOff } from "lucide-react";
import type { ReactNode } from "react";
import { EmptyState } from "@/shared/components/states";
import { useDocumentTitle } from "@/shared/document-title";

export function NotFound(): ReactNode {
  useDocumentTitle("No such page");
  return (
    <main>
      <EmptyState icon={<MapPinOff size={28} aria-hidden />} title="There is no such page">
        <p>The address may be mistyped, or from a later version of Tracelake.</p>
        <div className="actions">
          <Link to="/" className="button">
            All experiments
          </Link>
        </div>
      </EmptyState>
    </main>
  );
}
