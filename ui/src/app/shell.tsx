// The frame round every page: the rail, the keys that work everywhere, the help.
import { Link, Outlet, useNavigate, useParams } from "@tanstack/react-router";
import { ChartColumn, CircleAlert, CircleHelp, FlaskConical, GitCompareArrows, ListTree, MessagesSquare, Monitor, Moon, Sun, Users } from "lucide-react";
import { type ReactNode, useState } from "react";
import { useHotkeys } from "@/shared/hotkeys";
import { type Theme, useTheme } from "@/shared/theme";
import { HelpDialog } from "./help-dialog";
import "./shell.css";

/** The pages of an experiment, each with the second of its keys. */
const PAGES = [
  { page: "traces", label: "Traces", key: "t", icon: ListTree },
  { page: "sessions", label: "Sessions", key: "s", icon: MessagesSquare },
  { page: "users", label: "Users", key: "u", icon: Users },
  { page: "dashboard", label: "Dashboard", key: "d", icon: ChartColumn },
  { page: "errors", label: "Errors", key: "e", icon: CircleAlert },
  { page: "versions", label: "Versions", key: "v", icon: GitCompareArrows },
] as const;

type Page = (typeof PAGES)[number]["page"];

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
    ...Object.fromEntries(PAGES.map(({ page, key }) => [`g ${key}`, () => goTo(page)])),
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
        {experimentId !== undefined &&
          PAGES.map(({ page, label, icon: Icon }) => (
            <Link key={page} to={`/p/$experimentId/${page}`} params={{ experimentId }} className="rail-link">
              <Icon size={18} aria-hidden />
              <span>{label}</span>
            </Link>
          ))}
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
