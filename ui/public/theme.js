// Runs before the first paint, from a file of its own because the page allows no inline script.
(function () {
  var choice = null;
  try {
    choice = localStorage.getItem("tracelake.theme");
  } catch (error) {
    console.warn("Preferences are not readable, the system theme is used.", error);
  }
  if (choice === "dark" || choice === "light") document.documentElement.dataset.theme = choice;
})();
