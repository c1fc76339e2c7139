// The frame round every page: the rail, the keys that work everywhere, the help.
import { Link, Outlet, useNavigate, useParams } from "@tanstack/react-router";
import { ChartColumn, CircleAlert, CircleHelp, FlaskConical, GitCompareArrows, ListTree, MessagesSquare, Monitor, Moon, Sun, Users } from "lucide-react";
import { type ReactNode, useState } from "react";
import { useHotkeys } from "@/shared/hotkeys";
import { type Theme, useTheme } from "@/shared/theme";
import { HelpDialog } from "./help-dialog";
import "./shell.css";

type Page = "traces" | "sessions" | "users" | "dashboard" | "errors" | "versions";

const THEME_ICONS = { system: Monitor, light: Sun, dark: Moon } satisfies Record<Theme, unknown>;

export function Shell(): ReactNode {
  const { experimentId } = useParams({ strict: false });
  const [theme, changeTheme] = useTheme();
  const [helpOpen, setHelpOpen] = useState(false);
  const navigate = useNavigate();
  const goTo = (page: Page): void => {
    if (experimentId !== undefined) void navigate({ to: `/p/$experimentId/${page}`, params: { experimentId } });
  };
  useHotkeys({
    "?": () => setHelpOpen(true),
    E: () => void navigate({ to: "/" }),
    "g t": () => goTo("traces"),
    "g s": () => goTo("sessions"),
    "g u": () => goTo("users"),
    "g d": () => goTo("dashboard"),
    "g e": () => goTo("errors"),
    "g v": () => goTo("versions"),
  });
  const ThemeIcon = THEME_ICONS[theme];

  return (
    <div className="shell">
      <nav className="rail" aria-label="Main">
        <Link to="/" className="rail-logo" aria-label="Tracelake" title="Tracelake">
          <img src="/favicon.svg" alt="" width={28} height={28} />
        </Link>
        <Link to="/" className="rail-link" activeOptions={{ exact: true, includeSearch: false }}>
          <FlaskConical size={18} aria-hidden />
          <span>Experiments</span>
        </Link>
        {experimentId !== undefined && (
          <>
            <Link to="/p/$experimentId/traces" params={{ experimentId }} className="rail-link">
              <ListTree size={18} aria-hidden />
              <span>Traces</span>
            </Link>
            <Link to="/p/$experimentId/sessions" params={{ experimentId }} className="rail-link">
              <MessagesSquare size={18} aria-hidden />
              <span>Sessions</span>
            </Link>
            <Link to="/p/$experimentId/users" params={{ experimentId }} className="rail-link">
              <Users size={18} aria-hidden />
              <span>Users</span>
            </Link>
            <Link to="/p/$experimentId/dashboard" params={{ experimentId }} className="rail-link">
              <ChartColumn size={18} aria-hidden />
              <span>Dashboard</span>
            </Link>
            <Link to="/p/$experimentId/errors" params={{ experimentId }} className="rail-link">
              <CircleAlert size={18} aria-hidden />
              <span>Errors</span>
            </Link>
            <Link to="/p/$experimentId/versions" params={{ experimentId }} className="rail-link">
              <GitCompareArrows size={18} aria-hidden />
              <span>Versions</span>
            </Link>
          </>
        )}
        <span className="rail-gap" />
        <button
          type="button"
          className="rail-link"
          title={`Theme: ${theme}. Press to change it`}
          aria-label={`Theme: ${theme}. Change it`}
          onClick={changeTheme}
        >
          <ThemeIcon size={17} aria-hidden />
        </button>
        <button
          type="button"
          className="rail-link"
          title="Keys (?)"
          aria-label="Keys"
          onClick={() => setHelpOpen(true)}
        >
          <CircleHelp size={17} aria-hidden />
        </button>
      </nav>
      <div className="shell-page">
        <Outlet />
      </div>
      {helpOpen && <HelpDialog onClose={() => setHelpOpen(false)} />}
    </div>
  );
}
