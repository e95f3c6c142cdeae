-- A login now says by which account its person signed in, to be asked again at each refresh. Those from before don't:
-- they end, and people sign in again.
delete from refresh_token;
delete from authorization_code;
