// The one way to the server: typed paths, and every failure as an ApiError.
import createClient from "openapi-fetch";
import type { paths } from "./schema";

export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  /** Where in the filter text the fault is, counted from 1; only for filters. */
  readonly column: number | undefined;

  constructor(status: number, code: string, message: string, column?: number) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.column = column;
  }
}

export const api = createClient<paths>({
  baseUrl: globalThis.location?.origin ?? "",
  // Looked up at each call, so that tests can put another fetch in its place.
  fetch: (request) => globalThis.fetch(request),
});

type Answer<T> = { data?: T; error?: unknown; response: Response };

/** The data of an answer; throws ApiError for an error answer and for a server that is not there. */
export async function unwrap<T>(call: Promise<Answer<T>>): Promise<T> {
  let answer: Answer<T>;
  try {
    answer = await call;
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(0, "UNREACHABLE", "The server does not answer.");
  }
  if (answer.response.ok && answer.data !== undefined) return answer.data;
  throw toApiError(answer.response.status, answer.error);
}

function toApiError(status: number, body: unknown): ApiError {
  if (typeof body === "object" && body !== null) {
    const { error_code: code, message, column } = body as Record<string, unknown>;
    if (typeof message === "string") {
      return new ApiError(
        status,
        typeof code === "string" ? code : "UNKNOWN",
        message,
        typeof column === "number" ? column : undefined,
      );
    }
  }
  return new ApiError(status, "UNKNOWN", `The server answered with status ${status}.`);
}
