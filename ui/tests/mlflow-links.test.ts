import { expect, test } from "vitest";
import { fromMlflowLink } from "@/app/mlflow-links";

test.each([
  ["/", "", "#/experiments/7", "/p/7/traces"],
  ["/", "", "#/experiments/7/traces?selectedEvaluationId=tr-ab", "/p/7/t/tr-ab"],
  ["/", "", "#/experiments/7/runs/0af", "/p/7/traces?q=run%3A0af"],
  ["/", "", "#/models/agent/versions/1", "/"],
  ["/ml/experiments/7", "", "", "/p/7/traces"],
  ["/ml/experiments/7/runs/0af", "", "", "/p/7/traces?q=run%3A0af"],
  ["/ml/experiments/7/traces", "?selectedTraceId=tr-ab", "", "/p/7/t/tr-ab"],
])("%s%s%s leads to %s", (pathname, search, hash, wanted) => {
  expect(fromMlflowLink(pathname, search, hash)).toBe(wanted);
});

test.each([
  ["/", "", ""],
  ["/p/7/traces", "?q=x", "#top"],
  ["/mlx", "", ""],
])("%s%s%s is an address of this UI", (pathname, search, hash) => {
  expect(fromMlflowLink(pathname, search, hash)).toBeNull();
});
