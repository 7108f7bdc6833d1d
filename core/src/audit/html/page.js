document.addEventListener("keydown", function (event) {
  var close = event.key === "Escape" ? document.querySelector(":target .close") : null;
  if (close) {
    close.click();
  }
});
